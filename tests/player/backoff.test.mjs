import assert from 'node:assert/strict';
import test from 'node:test';

import { Backoff } from '../../player/backoff.js';

test('pauses double up to the longest and begin anew after a success', () => {
  const backoff = new Backoff(300, 5000, () => 0);
  assert.deepEqual(Array.from({ length: 7 }, () => backoff.next()), [300, 600, 1200, 2400, 4800, 5000, 5000]);
  backoff.reset();
  assert.equal(backoff.next(), 300);
});

test('jitter takes away up to a quarter', () => {
  assert.equal(new Backoff(1000, 5000, () => 0.999999).next().toFixed(0), '750');
  assert.equal(new Backoff(1000, 5000, () => 0.5).next(), 875);
});
