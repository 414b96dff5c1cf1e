import assert from 'node:assert/strict';
import test from 'node:test';

import { Fmp4Leg } from '../../player/fmp4.js';
import { World } from './support/world.mjs';

/** A leg whose feeds break, each so many milliseconds after the last; returns what is lost of it. */
async function breaks(t, pauses) {
  const world = new World();
  t.after(() => world.restore());
  world.playsFmp4();
  const lost = [];
  const leg = new Fmp4Leg(new RTCPeerConnection(), { show: () => undefined, lost: (reason) => lost.push(reason) });
  for (const pause of pauses) {
    await world.pass(pause);
    leg.feed.current = true; // each shows a moment of the picture
    leg.feed.listener.failed('broken');
  }
  leg.close();
  return lost;
}

test('feeds that break one soon after the other are given up, be there a picture in between', async (t) => {
  assert.deepEqual(await breaks(t, [0, 2_000, 2_000]), []);
  assert.deepEqual(await breaks(t, [0, 2_000, 2_000, 2_000]), ['media_broken']);
});

test('feeds that break now and then are replaced for ever', async (t) => {
  assert.deepEqual(await breaks(t, Array(20).fill(11_000)), []);
});
