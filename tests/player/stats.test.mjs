import assert from 'node:assert/strict';
import test from 'node:test';

import { figures, signsOfLife } from '../../player/stats.js';
import { FrameWatch } from '../../player/watch.js';

/** What Chromium reports of a second of video and sound, less the fields that nobody asks for. */
const reportOf = (entries) => new Map(entries.map((entry) => [entry.id, entry]));
const CODEC = { id: 'C102', type: 'codec', mimeType: 'video/H264', payloadType: 102 };
const PAIR = { id: 'CP1', type: 'candidate-pair', localCandidateId: 'L1', remoteCandidateId: 'R1', nominated: true, state: 'succeeded', currentRoundTripTime: 0.02 };
const OTHER_PAIR = { ...PAIR, id: 'CP0', localCandidateId: 'L0', currentRoundTripTime: 0.9 };
const TRANSPORT = { id: 'T01', type: 'transport', selectedCandidatePairId: 'CP1', dtlsState: 'connected' };
const LOCAL = { id: 'L1', type: 'local-candidate', candidateType: 'host', protocol: 'udp' };
const REMOTE = { id: 'R1', type: 'remote-candidate', candidateType: 'host', protocol: 'udp' };
const VIDEO = {
  id: 'V', type: 'inbound-rtp', kind: 'video', codecId: 'C102', timestamp: 1795217793735.098, frameWidth: 640, frameHeight: 360,
  framesDecoded: 7, framesDropped: 0, freezeCount: 0, bytesReceived: 2000, packetsReceived: 9, packetsLost: 0,
  jitterBufferDelay: 0.03, jitterBufferEmittedCount: 7, totalDecodeTime: 0.006,
};
const AUDIO = { id: 'A', type: 'inbound-rtp', kind: 'audio', timestamp: 1795217793735.098, bytesReceived: 30, packetsReceived: 10, packetsLost: 0 };
const REST = [CODEC, OTHER_PAIR, PAIR, TRANSPORT, LOCAL, REMOTE];
const BEFORE = reportOf([...REST, AUDIO, VIDEO]);
const LATER = {
  timestamp: VIDEO.timestamp + 1000, framesDecoded: 37, bytesReceived: 252_000, packetsReceived: 234, packetsLost: 20,
  jitterBufferDelay: 0.33, jitterBufferEmittedCount: 37, totalDecodeTime: 0.066,
};
const after = (rest = REST) =>
  reportOf([...rest, { ...AUDIO, timestamp: LATER.timestamp, bytesReceived: 8030, packetsReceived: 60, packetsLost: 5 }, { ...VIDEO, ...LATER }]);
const about = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

test('rates are those of the time between two reports', () => {
  const told = figures(BEFORE, after());
  about(told.framesPerSecond, 30);
  about(told.videoBitrate, 2_000_000);
  about(told.audioBitrate, 64_000);
  about(told.loss, 25 / 300);
  assert.deepEqual([told.width, told.height, told.codec, told.frames], [640, 360, 'H264', 37]);
});

test('from the sending to the picture: half a round trip, the jitter buffer and the decoder', () => {
  const told = figures(BEFORE, after());
  about(told.jitterBuffer, 0.01);
  about(told.decode, 0.002);
  about(told.roundTrip, 0.02);
  about(told.transit, 0.01 + 0.002 + 0.01);
});

test('of several pairs that succeeded the selected one counts', () => {
  assert.deepEqual([figures(null, after()).path, figures(null, after()).protocol], ['direct', 'UDP']);
});

test('a path through a relay at either end is told, with the protocol to our own relay', () => {
  const ours = { ...LOCAL, candidateType: 'relay', relayProtocol: 'tls' };
  const relayed = figures(null, after([CODEC, PAIR, TRANSPORT, ours, REMOTE]));
  assert.deepEqual([relayed.path, relayed.protocol], ['relayed', 'TLS']);
  const theirs = figures(null, after([CODEC, PAIR, TRANSPORT, LOCAL, { ...REMOTE, candidateType: 'relay' }]));
  assert.deepEqual([theirs.path, theirs.protocol], ['relayed', 'UDP']);
  assert.deepEqual([relayed.relays, theirs.relays, figures(null, after()).relays], ['ours', 'theirs', null]);
  const both = figures(null, after([CODEC, PAIR, TRANSPORT, ours, { ...REMOTE, candidateType: 'relay' }]));
  assert.deepEqual([both.path, both.relays], ['relayed', 'both']);
});

test('an address that a check was seen from before it was told is known as a relay all the same', () => {
  const seen = { ...REMOTE, candidateType: 'prflx', address: '203.0.113.9', port: 50_000 };
  const told = { ...seen, id: 'R9', candidateType: 'relay' };
  const path = (rest) => figures(null, after([CODEC, PAIR, TRANSPORT, LOCAL, seen, ...rest])).path;
  assert.equal(path([]), 'direct');
  assert.equal(path([told]), 'relayed');
  assert.equal(path([{ ...told, port: 50_001 }]), 'direct');
});

test('the family is told where the browser shows an address', () => {
  const family = (remote, local = {}) =>
    figures(null, after([CODEC, PAIR, TRANSPORT, { ...LOCAL, ...local }, { ...REMOTE, ...remote }])).family;
  assert.equal(family({ address: '192.0.2.1' }), 'IPv4');
  assert.equal(family({ ip: '2001:db8::1' }), 'IPv6');
  assert.equal(family({ address: '' }, { address: '2001:db8::2' }), 'IPv6');
  assert.equal(family({ address: '5d1c.local' }), null);
  assert.equal(family({}), null);
});

test('whatever arrives on the path in use is a sign of life, and nothing else is', () => {
  const before = signsOfLife(BEFORE);
  const grown = (id, facts) => signsOfLife(new Map([...BEFORE, [id, { ...BEFORE.get(id), ...facts }]]));
  assert.ok(grown('A', { packetsReceived: 11 }) > before);
  assert.ok(grown('T01', { packetsReceived: 1 }) > before);
  assert.ok(grown('CP1', { responsesReceived: 1 }) > before);
  assert.equal(grown('CP0', { responsesReceived: 9 }), before);
  assert.equal(grown('CP1', { requestsSent: 9, bytesSent: 9 }), before);
  assert.equal(signsOfLife(new Map()), 0);
});

test('Firefox marks the selected pair and has no transport', () => {
  const pairs = [{ ...OTHER_PAIR, selected: false }, { ...PAIR, selected: true }];
  about(figures(null, after([...pairs, LOCAL, REMOTE])).roundTrip, 0.02);
});

test('the first report, and one without anything in it, leave open what they cannot know', () => {
  const first = figures(null, BEFORE);
  assert.deepEqual([first.framesPerSecond, first.videoBitrate], [null, null]);
  const empty = figures(null, reportOf([]));
  assert.deepEqual([empty.frames, empty.transit, empty.path, empty.width], [0, null, null, null]);
});

test('late packets that make the count of lost ones shrink are no negative loss', () => {
  const shrunk = reportOf([{ ...VIDEO, ...LATER, packetsLost: -3 }]);
  assert.equal(figures(BEFORE, shrunk).loss, 0);
});

test('a picture has stalled after two seconds without a new frame, and flows with the next', () => {
  const watch = new FrameWatch(1000);
  assert.equal(watch.stalled(0, 2999), false);
  assert.equal(watch.stalled(0, 3000), true);
  assert.equal(watch.stalled(1, 3100), false);
  assert.equal(watch.stalled(1, 5099), false);
  assert.equal(watch.stalled(1, 5100), true);
});
