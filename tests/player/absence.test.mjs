/** How soon the picture is back after an outage, and whether it stays, in virtual time. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { Outage } from './support/outage.mjs';

const VIEWER_S = ['viewer', 'media'];
const CAMERA_S = ['camera', 'media'];

/** The most milliseconds to the picture, and all setbacks after it; at several phases. */
async function outages(phases, happens) {
  const all = [];
  for (let phase = 0; phase < phases; phase += 1) {
    const outage = new Outage(1_000 + phase);
    try {
      await happens(outage, 330 * phase);
      all.push(outage);
    } finally {
      outage.end();
    }
  }
  const worst = Math.max(...all.map((outage) => outage.took));
  return { worst, setbacks: all.map((outage) => outage.setbacks) };
}

/** @param {import('./support/outage.mjs').Way[]} ways */
const away = (ways, seconds, phases) =>
  outages(phases, (outage, phase) => outage.lasts(ways, 1_000 * seconds + phase));

const WITHIN = 5_000; // ms
const SOCKETS = 6; // that may be under way at once

for (const [ways, whose] of [[VIEWER_S, 'viewer’s'], [CAMERA_S, 'camera’s']]) {
  for (const [seconds, phases] of [[1, 12], [2, 12], [5, 12], [30, 8], [120, 8], [600, 12]]) {
    test(`the ${whose} network is gone for ${seconds} s: the picture is back within 5 s, and stays`, async () => {
      const { worst, setbacks } = await away(ways, seconds, phases);
      assert.ok(worst <= WITHIN, `${worst} ms`);
      assert.deepEqual(setbacks.filter(Boolean), []);
    });
  }
}

test('media alone is gone for 30 s, as behind a firewall that wakes up: within 5 s', async () => {
  const { worst } = await away(['media'], 30, 12);
  assert.ok(worst <= WITHIN, `${worst} ms`);
});

test('signalling alone is gone for ten minutes: nobody notices', async () => {
  const outage = new Outage();
  try {
    await outage.lasts(['viewer'], 600_000);
    const pauses = outage.shown.map((at, n) => at - (outage.shown[n - 1] ?? at));
    assert.ok(Math.max(...pauses) < 200);
    assert.equal(outage.world.peers.length, 1);
  } finally {
    outage.end();
  }
});

for (const seconds of [20, 600, 36_000]) {
  test(`a device that has slept for ${seconds} s shows the picture within 5 s of waking`, async () => {
    const { worst, setbacks } = await outages(8, (outage, phase) => outage.sleeps(1_000 * seconds + phase));
    assert.ok(worst <= WITHIN, `${worst} ms`);
    assert.deepEqual(setbacks.filter(Boolean), []);
  });
}

test('ten minutes of absence leave no timer, socket or connection behind', async () => {
  const outage = new Outage();
  const { world, viewer } = outage;
  const open = (all) => all.filter(({ closed }) => !closed).length;
  const seen = [];
  const look = () => seen.push([world.timers, open(world.sockets), open(world.peers)]);
  const looking = setInterval(look, 5_000);
  try {
    await outage.lasts(VIEWER_S, 600_000);
    assert.equal(viewer.view.state, 'playing');
    const most = (of, what) => Math.max(...of.map((counts) => counts[what]));
    const [early, late] = [seen.slice(30, 60), seen.slice(90, 120)]; // of the model's there are some, too
    assert.ok(most(late, 0) <= 1.2 * most(early, 0), `${most(early, 0)}, then ${most(late, 0)} timers`);
    assert.deepEqual([most(seen, 1), most(seen, 2)], [SOCKETS, 2]);
    viewer.stop();
    clearInterval(looking);
    await world.pass(130_000);
    assert.deepEqual([world.timers, open(world.sockets), open(world.peers)], [0, 0, 0]);
  } finally {
    outage.end();
  }
});
