import assert from 'node:assert/strict';
import test from 'node:test';

import { figures } from '../../player/fmp4-stats.js';

const MIME = 'video/mp4; codecs="avc1.64001f,mp4a.40.2"';
const LOOK = { at: 1000, mime: MIME, width: 1280, height: 720, pictures: 100, dropped: 0, bytes: { video: 1000, audio: 100 }, dried: 1, lag: 0.25 };
const LATER = { ...LOOK, at: 2000, pictures: 130, bytes: { video: 251_000, audio: 12_100 } };
const ROUTE = new Map(
  [
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.5 },
    { id: 'L', type: 'local-candidate', candidateType: 'host', protocol: 'udp' },
    { id: 'R', type: 'remote-candidate', candidateType: 'host', protocol: 'udp' },
  ].map((entry) => [entry.id, entry]),
);

test('rates are those between two looks, and the delay is buffer and way', () => {
  const told = figures(LOOK, LATER, ROUTE);
  assert.deepEqual([told.leg, told.codec, told.width, told.height, told.freezes], ['fmp4', 'H264', 1280, 720, 1]);
  assert.deepEqual([told.framesPerSecond, told.videoBitrate, told.audioBitrate], [30, 2_000_000, 96_000]);
  assert.deepEqual([told.buffer, told.transit, told.path, told.protocol], [0.25, 0.5, 'direct', 'UDP']);
});

test('what is not known yet is left open; a new feed that counts from zero gives no negative rate', () => {
  const first = figures(null, { ...LOOK, lag: null, width: 0, height: 0, mime: '' }, new Map());
  assert.deepEqual([first.width, first.codec, first.videoBitrate, first.transit, first.path], [null, null, null, null, null]);
  assert.equal(figures(LATER, { ...LOOK, at: 3000 }, ROUTE).framesPerSecond, 0);
});

test('H.265 is named', () => {
  assert.equal(figures(null, { ...LOOK, mime: 'video/mp4; codecs="hvc1.1.6.L93.B0"' }, ROUTE).codec, 'H265');
});
