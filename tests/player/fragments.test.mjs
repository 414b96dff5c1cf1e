import assert from 'node:assert/strict';
import test from 'node:test';

import { Fragments } from '../../player/fragments.js';
import { init, picture, sound } from './support/boxes.mjs';

const taken = (...messages) => {
  const fragments = new Fragments();
  for (const message of messages) fragments.take(message);
  return fragments;
};

test('pictures are counted, and where decoding can begin is remembered', () => {
  for (const flags of ['first', 'sample', 'default']) {
    const it = taken(init(), picture(7000, { key: true, flags }), picture(7000.1, { flags }), sound(7000), picture(7002, { key: true, flags }));
    assert.deepEqual([it.pictures, it.keys], [3, [7000, 7002]], flags);
  }
});

test('times are wide enough for a camera that runs for years', () => {
  assert.deepEqual(taken(init({ wide: true }), picture(1e8, { key: true })).keys, [1e8]);
});

test('the last key frame before a moment; none when it is older than all', () => {
  const it = taken(init(), picture(10, { key: true }), picture(20, { key: true }));
  assert.deepEqual([9, 10, 19.9, 50].map((time) => it.keyBefore(time)), [null, 10, 10, 20]);
});

test('bytes belong to the track whose segment began last', () => {
  const [one, two] = [picture(1, { key: true }), sound(1)];
  const it = taken(init(), two, one, new Uint8Array(1000), two);
  assert.equal(it.bytes.audio, 2 * two.length);
  assert.equal(it.bytes.video, init().length + one.length + 1000);
});

test('what is none of it is passed over', () => {
  const broken = [new Uint8Array(0), new Uint8Array(7), new Uint8Array(64), picture(1).subarray(0, 40)];
  assert.deepEqual(taken(...broken, init().subarray(0, 30), picture(1)).pictures, 0);
  const zeroSized = picture(1);
  zeroSized.fill(0, 8, 12);
  assert.equal(taken(init(), zeroSized).pictures, 0);
});
