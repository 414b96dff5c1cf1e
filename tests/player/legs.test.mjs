import assert from 'node:assert/strict';
import test from 'node:test';

import { able, choose } from '../../player/legs.js';

const source = (facts) => ({ state: 'live', code: null, message: '', tracks: [], legs: ['rtp', 'fmp4'], ...facts });
const only = (...names) => (leg) => names.includes(leg);
const all = only('rtp', 'fmp4');

test('the room’s first leg that the browser can do', () => {
  assert.deepEqual(choose(source(), null, all), { leg: 'rtp' });
  assert.deepEqual(choose(source({ legs: ['fmp4', 'rtp'] }), null, all), { leg: 'fmp4' });
  assert.deepEqual(choose(source(), null, only('fmp4')), { leg: 'fmp4' });
  assert.deepEqual(choose(source({ legs: ['fmp4', 'rtp'] }), null, only('rtp')), { leg: 'rtp' });
});

test('the page’s wish goes before the room’s, as far as it can be fulfilled', () => {
  assert.deepEqual(choose(source(), 'fmp4', all), { leg: 'fmp4' });
  assert.deepEqual(choose(source({ legs: ['rtp'] }), 'fmp4', all), { leg: 'rtp' });
  assert.deepEqual(choose(source(), 'fmp4', only('rtp')), { leg: 'rtp' });
});

test('what a camera can do is known only when it is live: a wish waits for that, others do not', () => {
  const starting = { state: 'starting', legs: ['rtp'] };
  assert.equal(choose(source(starting), 'fmp4', all), null);
  assert.deepEqual(choose(source(starting), 'rtp', all), { leg: 'rtp' });
  assert.deepEqual(choose(source(starting), null, all), { leg: 'rtp' });
});

test('a browser that can do none says why, once the camera has shown what it sends', () => {
  const lack = (facts) => choose(source(facts), null, only());
  assert.equal(lack({ state: 'starting' }), null);
  assert.deepEqual(lack({}), { lack: 'no_h264' });
  assert.deepEqual(lack({ legs: ['fmp4'], code: 'b_frames' }), { lack: 'b_frames' });
  assert.deepEqual(lack({ legs: ['fmp4'], code: 'codec_h265' }), { lack: 'codec_h265' });
  assert.deepEqual(lack({ legs: [] }), { lack: 'no_leg' });
});

test('a browser is asked about the camera’s own codec, and about either kind of media source', (t) => {
  t.after(() => delete globalThis.MediaSource && delete globalThis.ManagedMediaSource);
  assert.equal(able('fmp4', source()), false);
  const asked = [];
  globalThis.ManagedMediaSource = { isTypeSupported: (mime) => asked.push(mime) > 0 };
  assert.equal(able('fmp4', source({ tracks: [{ kind: 'video', codec: 'H.265' }] })), true);
  globalThis.MediaSource = { isTypeSupported: (mime) => asked.push(mime) < 0 };
  assert.equal(able('fmp4', source({ tracks: [{ kind: 'audio', codec: 'H.265' }] })), false);
  assert.deepEqual(asked.map((mime) => /codecs="(....)/.exec(mime)[1]), ['hvc1', 'avc1']);
});
