import assert from 'node:assert/strict';
import test from 'node:test';

import { ending, EVENTS, refusal, STATES, step } from '../../player/machine.js';

const EFFECTS = [
  'join', 'joinAgain', 'redial', 'resume', 'hangUp', 'openMedia', 'closeMedia', 'endSession', 'move', 'setAside', 'keepAside', 'takeBack',
  'letGo',
];
const OPENS = new Set(['openMedia', 'takeBack']);
const CLOSES = new Set(['closeMedia', 'setAside', 'keepAside']);
const HAS_MEDIA = new Set(['negotiating', 'playing']);
const PAIRS = STATES.flatMap((state) => EVENTS.map((event) => ({ state, event, ...step(state, event) })));

test('every pair of state and event leads to a state, with effects that exist', () => {
  assert.equal(PAIRS.length, 7 * 19);
  for (const { to, effects } of PAIRS) {
    assert.ok(STATES.includes(to));
    for (const effect of effects) assert.ok(EFFECTS.includes(effect), effect);
  }
});

test('every state can be reached and left', () => {
  for (const state of STATES) {
    assert.ok(PAIRS.some((pair) => pair.to === state && pair.state !== state), state);
    assert.ok(PAIRS.some((pair) => pair.state === state && pair.to !== state), state);
  }
});

test('media is open exactly while negotiating or playing', () => {
  for (const { state, event, to, effects } of PAIRS) {
    let open = HAS_MEDIA.has(state);
    for (const effect of effects) {
      if (OPENS.has(effect)) assert.ok(!open, `${state} × ${event} opens twice`), (open = true);
      if (CLOSES.has(effect)) assert.ok(open, `${state} × ${event} closes nothing`), (open = false);
    }
    assert.equal(open, HAS_MEDIA.has(to), `${state} × ${event}`);
  }
});

test('a session is ended before its media is closed, or the reason could not be said', () => {
  for (const { effects } of PAIRS.filter((pair) => pair.effects.includes('endSession'))) {
    assert.ok(effects.indexOf('endSession') < effects.indexOf('closeMedia'));
  }
});

test('nothing that signalling does takes the picture away', () => {
  const signalling = ['welcomed', 'unreachable', 'disconnected', 'cameraAwaited', 'refused', 'rejected', 'forgotten'];
  for (const event of signalling) {
    const { to, effects } = step('playing', event);
    assert.equal(to, 'playing', event);
    assert.ok(!effects.includes('closeMedia'), event);
  }
});

test('a place that comes late, when the picture is back, is taken while the picture goes on', () => {
  assert.deepEqual(step('playing', 'admitted'), { to: 'negotiating', effects: ['keepAside', 'openMedia'] });
});

test('a camera that is gone to the server ends nothing that runs', () => {
  assert.equal(step('playing', ending('camera_gone')).to, 'playing');
  assert.equal(step('negotiating', ending('camera_gone')).to, 'reconnecting');
  for (const reason of ['camera_stopped', 'format_changed', 'media_lost', 'a_reason_of_the_future']) {
    assert.equal(step('playing', ending(reason)).to, 'reconnecting');
  }
});

test('a place that lapses while there is nothing to offer is asked for again; others end', () => {
  assert.deepEqual(step('negotiating', ending('offer_timeout', false)), { to: 'negotiating', effects: ['join'] });
  assert.equal(step('negotiating', ending('offer_timeout')).to, 'reconnecting');
  assert.equal(step('negotiating', ending('camera_stopped', false)).to, 'reconnecting');
});

test('whoever stops is idle, and nothing is left running', () => {
  for (const state of STATES.filter((state) => state !== 'idle' && state !== 'ended')) {
    const { to, effects } = step(state, 'stopped');
    assert.equal(to, 'idle');
    assert.equal(effects.at(-1), 'hangUp');
  }
});

test('a picture that was lost is asked for again, and at once', () => {
  for (const event of ['mediaLost', 'sessionEnded']) {
    assert.equal(step('playing', event).to, 'reconnecting');
    assert.equal(step('playing', event).effects.at(-1), 'joinAgain');
  }
});

test('a path that falls silent is set aside; if it comes back it is taken back', () => {
  assert.deepEqual(step('playing', 'mediaSilent'), { to: 'reconnecting', effects: ['setAside', 'joinAgain'] });
  for (const state of ['joining', 'waiting', 'reconnecting']) {
    assert.deepEqual(step(state, 'mediaReturned'), { to: 'playing', effects: ['takeBack'] }, state);
  }
  assert.deepEqual(step('negotiating', 'mediaConnected').effects, ['letGo']);
});

test('refusals: most pass, some never do, and a forgotten session is none', () => {
  assert.equal(refusal('room_unknown'), 'refused');
  assert.equal(refusal('a_code_of_the_future'), 'refused');
  assert.equal(refusal('version_unsupported'), 'rejected');
  assert.equal(refusal('session_unknown'), 'forgotten');
  assert.equal(refusal('too_many_candidates'), null);
});
