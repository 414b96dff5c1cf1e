import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { refusal, STATES } from '../../player/machine.js';
import { route, rows } from '../../player/readout.js';
import { describe } from '../../player/words.js';

const PROTOCOL = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
const VIEW = { state: 'playing', reason: null, source: null, picture: true, stalled: false, paused: false };
const LOST = { ...VIEW, picture: false };
const section = (heading) => PROTOCOL.split(heading)[1].split(/^#/m)[0];
const codes = (text) => [...text.matchAll(/`([a-z0-9_]+)`/g)].map((match) => match[1]);

const ERRORS = [...section('## 10. Errors').matchAll(/^\| `([a-z0-9_]+)`/gm)].map((match) => match[1]);
const REASONS = codes(section('### Reasons of `end`'));
const SOURCES = [...section('### Codes of `source`').matchAll(/^\| `(\w+)` \| `(\w+)`/gm)]
  .map(([, state, code]) => ({ state, code }))
  .filter(({ state }) => state !== 'live'); // no troubles: there is another way to watch

/** Errors that are said to cameras, or to nobody who speaks as this player does. */
const NOT_OURS = new Set([
  'claim_invalid', 'origin_unknown', 'room_unavailable', 'superseded', 'session_unknown', 'too_many_candidates',
  'tls_not_configured', 'malformed', 'unknown_type', 'message_too_large', 'hello_first', 'hello_timeout', 'idle_timeout',
  'too_slow', 'not_allowed', 'internal', 'too_many_rooms', 'claim_expired', 'relay_unavailable',
]);

function assertSentence(text) {
  assert.match(text, /^[A-Z].*[.]$/su, text);
}

test('every state has a chip, and all but a live picture a title', () => {
  for (const state of STATES) {
    const words = describe({ ...VIEW, state, picture: false });
    assert.ok(words.chip && words.title, state);
  }
  assert.deepEqual(describe(VIEW), { tone: 'live', chip: 'Live', title: '', detail: '' });
});

test('every error that a viewer may meet has words of its own', () => {
  assert.ok(ERRORS.includes('room_unknown'));
  const general = describe({ ...LOST, state: 'joining', reason: { code: 'x', message: '' } }).title;
  for (const code of ERRORS.filter((code) => !NOT_OURS.has(code))) {
    const state = refusal(code) === 'rejected' ? 'ended' : 'joining';
    const words = describe({ ...LOST, state, reason: { code, message: '' } });
    assert.notEqual(words.title, general, code);
    assertSentence(words.detail);
  }
});

test('a picture that goes on while another connection is made is live, whatever goes on behind it', () => {
  for (const state of ['joining', 'negotiating', 'reconnecting', 'waiting']) {
    assert.deepEqual(describe({ ...VIEW, state, reason: { code: 'media_silent', message: '' } }), describe(VIEW), state);
  }
});

test('a page of another site is told of the option that lets it in', () => {
  const words = (code) => describe({ ...LOST, state: 'joining', reason: { code, message: '' } }).detail;
  assert.match(words('server_elsewhere_unreachable'), /--allow-origin/);
  assert.doesNotMatch(words('server_unreachable'), /--allow-origin/);
});

test('every ending that a viewer may meet has words of its own', () => {
  assert.ok(REASONS.includes('camera_stopped'));
  const general = describe({ ...LOST, state: 'reconnecting', reason: { code: 'x', message: '' } }).title;
  for (const code of REASONS.filter((code) => code !== 'left' && code !== 'replaced')) {
    const words = describe({ ...LOST, state: 'reconnecting', reason: { code, message: '' } });
    assert.notEqual(words.title, general, code);
    assertSentence(words.detail);
  }
});

test('every trouble of the camera has words of its own, and the publisher’s cure is shown', () => {
  assert.ok(SOURCES.length >= 9);
  for (const { state, code } of SOURCES) {
    const source = { state, code, message: '', tracks: [] };
    const words = describe({ ...VIEW, source });
    assert.notEqual(words.title, describe({ ...VIEW, source: { ...source, code: 'x' } }).title, code);
    assert.equal(words.tone, state === 'lost' ? 'warning' : 'error');
    assertSentence(words.detail);
    const cure = 'Set B-frames to 0 in “Video”.';
    assert.ok(describe({ ...VIEW, source: { ...source, message: cure } }).detail.startsWith(cure));
  }
});

test('a code of the future is told in the other side’s words', () => {
  const reason = { code: 'later', message: 'The moon is in the way.' };
  assert.equal(describe({ ...LOST, state: 'joining', reason }).detail, reason.message);
  assert.equal(describe({ ...LOST, state: 'reconnecting', reason: { ...reason, code: 'toString' } }).detail, reason.message);
});

test('an unknown room sounds like a wrong link and like an absent camera, and is tried again', () => {
  const { detail } = describe({ ...LOST, state: 'joining', reason: { code: 'room_unknown', message: '' } });
  assert.match(detail, /link may be incomplete/);
  assert.match(detail, /camera has not come/);
  assert.match(detail, /by itself/);
});

test('waiting says why when the camera was stopped', () => {
  const waiting = (code) => describe({ ...LOST, state: 'waiting', reason: code && { code, message: '' } }).title;
  assert.equal(waiting(null), 'Waiting for the camera');
  assert.equal(waiting('media_lost'), 'Waiting for the camera');
  assert.equal(waiting('camera_stopped'), 'The camera was stopped');
});

test('a camera that has not shown what it sends is said to be starting, whatever was before', () => {
  const source = { state: 'starting', code: null, message: '', tracks: [], legs: ['rtp'] };
  const seen = { ...VIEW, state: 'negotiating', picture: false, reason: { code: 'media_lost', message: '' } };
  assert.equal(describe({ ...seen, source }).title, 'The camera is starting');
  assert.equal(describe({ ...seen, reason: null, source: { ...source, state: 'live' } }).chip, 'Connecting');
});

test('whoever lost a picture is told why until there is another one', () => {
  for (const state of ['reconnecting', 'negotiating']) {
    const words = describe({ ...VIEW, state, picture: false, reason: { code: 'media_silent', message: '' } });
    assert.deepEqual([words.chip, words.title], ['Reconnecting', 'The connection to the camera was interrupted'], state);
  }
});

test('a connection without pictures is not called live', () => {
  for (const facts of [{ stalled: true }, { picture: false }, { picture: false, stalled: true }, { paused: true }]) {
    assert.notEqual(describe({ ...VIEW, ...facts }).tone, 'live', JSON.stringify(facts));
  }
});

test('figures are told with units, and what is not known as a dash', () => {
  assert.ok(rows(null).every(([, value]) => value === '–'));
  const told = Object.fromEntries(rows({
    width: 1280, height: 720, codec: 'H264', frames: 90, framesPerSecond: 29.97, dropped: 0, freezes: 1,
    videoBitrate: 2_050_000, audioBitrate: 64_000, loss: 0.0123, jitterBuffer: 0.0121, roundTrip: 0.0004,
    leg: 'rtp', buffer: null, decode: 0.002, transit: 0.0143, path: 'relayed', relays: 'ours', protocol: 'TCP', family: 'IPv6',
  }));
  assert.deepEqual(told, {
    Delay: 'about 14 ms', Buffer: '12 ms', Decoder: '2 ms', Delivery: 'WebRTC', Path: 'Relayed · TCP · IPv6', Picture: '1280 × 720', 'Frame rate': '30 frames/s',
    Video: 'H264 2.0 Mbit/s', Sound: '64 kbit/s', 'Packet loss': '1.2 %', 'Round trip': 'under 1 ms',
    Freezes: '1',
  });
});

test('the way of the picture is told in a word and in a sentence', () => {
  const names = ['width', 'framesPerSecond', 'videoBitrate', 'audioBitrate', 'loss', 'jitterBuffer', 'buffer', 'roundTrip', 'decode', 'transit'];
  const unknown = Object.fromEntries([...names, 'path', 'relays', 'protocol', 'family'].map((name) => [name, null]));
  const way = (facts) => ({ leg: 'rtp', freezes: 0, ...unknown, ...facts });
  const path = (facts) => Object.fromEntries(rows(way(facts))).Path;
  assert.deepEqual(route(null), { short: '', long: '' });
  assert.deepEqual(route(way({})), { short: '', long: '' });
  const direct = { path: 'direct', protocol: 'UDP', family: 'IPv4' };
  assert.deepEqual(route(way(direct)), { short: 'Direct · UDP', long: 'The picture comes straight from the camera, over UDP and IPv4.' });
  assert.equal(path(direct), 'Direct · UDP · IPv4');
  const relayed = { path: 'relayed', protocol: 'TLS' };
  assert.equal(route(way(relayed)).short, 'Relayed · TLS');
  assertSentence(route(way(relayed)).long);
  const told = ['ours', 'theirs', 'both'].map((relays) => path({ ...relayed, relays }));
  assert.deepEqual(told, ['Relayed · TLS', 'Camera’s relay · TLS', 'Two relays · TLS']);
});
