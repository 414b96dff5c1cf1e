import assert from 'node:assert/strict';
import test from 'node:test';

import { AppendQueue } from '../../player/append-queue.js';

const bytes = (...values) => new Uint8Array(values);

test('bytes come out as one piece, up to the next note', () => {
  const queue = new AppendQueue(10_000);
  const note = () => undefined;
  queue.push(bytes(1, 2));
  queue.push(bytes(3));
  queue.note(note);
  queue.push(bytes(4));
  assert.deepEqual(queue.next(), bytes(1, 2, 3));
  assert.equal(queue.next(), note);
  assert.deepEqual(queue.next(), bytes(4));
  assert.deepEqual([queue.next(), queue.empty], [null, true]);
});

test('what does not fit is not taken, notes included, and what left makes room', () => {
  const queue = new AppendQueue(1_026);
  assert.deepEqual([queue.push(bytes(1, 2)), queue.note(() => undefined), queue.push(bytes(3))], [true, true, false]);
  queue.next();
  assert.deepEqual([queue.push(bytes(3, 4, 5)), queue.push(bytes(3, 4))], [false, true]);
  queue.clear();
  assert.deepEqual([queue.empty, queue.push(bytes(...Array(1_026).fill(0)))], [true, true]);
});

test('bytes that were put back come first', () => {
  const queue = new AppendQueue(1_000);
  queue.push(bytes(1));
  const first = queue.next();
  queue.push(bytes(2));
  queue.unshift(first);
  assert.deepEqual(queue.next(), bytes(1, 2));
});
