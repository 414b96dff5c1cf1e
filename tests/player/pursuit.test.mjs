import assert from 'node:assert/strict';
import test from 'node:test';

import { Pursuit } from '../../player/pursuit.js';

const pursuit = (hasSound = true) => {
  const it = new Pursuit();
  it.has(hasSound);
  return it;
};
/** A playhead so many seconds behind the end. */
const behind = (lag, { now = 0, start = 0 } = {}) => ({ now, start, end: 100, position: 100 - lag });
const about = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

test('near the distance it plays as fast as the camera', () => {
  for (const lag of [0.11, 0.2, 0.24]) assert.deepEqual(pursuit().step(behind(lag)), { rate: 1 });
});

test('a little too far: 5 % faster, until it is nearly there', () => {
  const it = pursuit();
  assert.deepEqual(it.step(behind(0.26)), { rate: 1.05 });
  assert.deepEqual(it.step(behind(0.23)), { rate: 1.05 });
  assert.deepEqual(it.step(behind(0.205)), { rate: 1 });
  assert.deepEqual(it.step(behind(0.24)), { rate: 1 });
});

test('far too near, because the distance has grown: 5 % slower, until it is nearly there', () => {
  const it = pursuit();
  it.ranDry(0);
  assert.deepEqual(it.step(behind(0.19)), { rate: 0.95 });
  assert.deepEqual(it.step(behind(0.27)), { rate: 0.95 });
  assert.deepEqual(it.step(behind(0.285)), { rate: 1 });
});

test('far too far: half as fast again; beyond that a jump', () => {
  assert.deepEqual(pursuit().step(behind(0.7)), { rate: 1.5 });
  about(pursuit().step(behind(1.1)).seekTo, 99.8);
});

test('what a jump took is made up for at once', () => {
  const it = pursuit();
  it.jump(behind(5));
  assert.deepEqual(it.step(behind(0.32)), { rate: 1.5 });
  assert.deepEqual(it.step(behind(0.23)), { rate: 1.5 });
  assert.deepEqual(it.step(behind(0.2)), { rate: 1 });
  assert.deepEqual(it.step(behind(0.26)), { rate: 1.05 });
});

test('in front of a gap it jumps over it, and not behind what there is', () => {
  assert.deepEqual(pursuit().step(behind(0.3, { start: 99.9 })), { seekTo: 99.9 });
});

test('without sound the distance is much shorter', () => {
  about(pursuit(false).target, 0.05);
});

test('a buffer that runs dry widens the distance up to a bound, and calm narrows it', () => {
  const it = pursuit();
  it.ranDry(10);
  about(it.target, 0.3);
  it.step(behind(0.3, { now: 39 }));
  about(it.target, 0.3);
  it.step(behind(0.3, { now: 41 }));
  about(it.target, 0.2);
  for (let turn = 0; turn < 50; turn += 1) it.ranDry(50);
  about(it.target, 1.4);
  assert.equal(it.dried, 51);
});
