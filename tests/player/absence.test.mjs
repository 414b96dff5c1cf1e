/** How soon the picture is back after an outage, and whether it stays, in virtual time. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { Outage } from './support/outage.mjs';

const VIEWER_S = ['viewer', 'media'];
const CAMERA_S = ['camera', 'media'];
const FEW = { timers: 24, sockets: 2, peers: 2 };

/** Milliseconds to the picture and setbacks after it, each as rarely worse; at several phases. */
async function outages(phases, happens) {
  const all = [];
  for (let phase = 0; phase < phases; phase += 1) {
    const outage = new Outage();
    try {
      await happens(outage, 330 * phase);
      all.push(outage);
    } finally {
      outage.end();
    }
  }
  const took = all.map((outage) => outage.took).sort((a, b) => a - b);
  return { p95: took[Math.ceil(0.95 * phases) - 1], setbacks: all.map((outage) => outage.setbacks) };
}

/** @param {import('./support/outage.mjs').Way[]} ways */
const away = (ways, seconds, phases) =>
  outages(phases, (outage, phase) => outage.lasts(ways, 1_000 * seconds + phase));

for (const [ways, whose] of [[VIEWER_S, 'viewer’s'], [CAMERA_S, 'camera’s']]) {
  for (const [seconds, phases] of [[1, 12], [2, 12], [5, 12], [30, 8], [600, 3]]) {
    test(`the ${whose} network is gone for ${seconds} s: the picture is back within 5 s, and stays`, async () => {
      const { p95, setbacks } = await away(ways, seconds, phases);
      assert.ok(p95 <= 5_000, `${p95} ms`);
      assert.deepEqual(setbacks.filter(Boolean), []);
    });
  }
}

test('media alone is gone for 30 s, as behind a firewall that wakes up: within 5 s', async () => {
  const { p95 } = await away(['media'], 30, 12);
  assert.ok(p95 <= 5_000, `${p95} ms`);
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
    const { p95, setbacks } = await outages(8, (outage, phase) => outage.sleeps(1_000 * seconds + phase));
    assert.ok(p95 <= 5_000, `${p95} ms`);
    assert.deepEqual(setbacks.filter(Boolean), []);
  });
}

test('ten minutes of absence leave no timer, socket or connection behind', async () => {
  const outage = new Outage();
  const { world, viewer } = outage;
  const open = (all) => all.filter(({ closed }) => !closed).length;
  const most = { timers: 0, sockets: 0, peers: 0 };
  const watch = () => {
    const now = { timers: world.timers, sockets: open(world.sockets), peers: open(world.peers) };
    for (const name of Object.keys(most)) most[name] = Math.max(most[name], now[name]);
  };
  const counting = setInterval(watch, 5_000);
  try {
    await outage.lasts(VIEWER_S, 600_000);
    assert.equal(viewer.view.state, 'playing');
    for (const name of Object.keys(FEW)) assert.ok(most[name] <= FEW[name], `${name}: ${most[name]}`);
    assert.ok(world.sockets.length < 60, `${world.sockets.length} sockets`);
    viewer.stop();
    clearInterval(counting);
    await world.pass(60_000);
    assert.deepEqual([world.timers, open(world.sockets), open(world.peers)], [0, 0, 0]);
  } finally {
    outage.end();
  }
});
