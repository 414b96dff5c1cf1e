import assert from 'node:assert/strict';
import test from 'node:test';

import { absence, isOffline, NetworkWatch } from '../../player/network.js';
import { World } from './support/world.mjs';

/** A watch in a browser with all that one may have. */
const watching = (name, body) =>
  test(name, async (t) => {
    const world = new World();
    const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
    const connection = new EventTarget();
    const document = Object.assign(new EventTarget(), { hidden: true });
    Object.defineProperty(globalThis, 'navigator', { value: { connection, onLine: true }, configurable: true });
    globalThis.document = document;
    const told = [];
    const watch = new NetworkWatch(() => told.push(world.now));
    t.after(() => {
      watch.stop();
      delete globalThis.document;
      delete globalThis.navigator;
      if (before) Object.defineProperty(globalThis, 'navigator', before);
      world.restore();
    });
    watch.start();
    await body({ world, watch, told, connection, document });
  });

watching('what the browser says of networks is passed on, until nobody wants to hear it', async ({ world, watch, told, connection }) => {
  await world.tells('online');
  connection.dispatchEvent(new Event('change'));
  assert.equal(told.length, 2);
  watch.start(); // twice is once
  await world.tells('online');
  assert.equal(told.length, 3);
  watch.stop();
  await world.tells('online');
  connection.dispatchEvent(new Event('change'));
  await world.pass(60_000);
  assert.equal(told.length, 3);
});

watching('a page that comes to the front asks, one that goes to the back does not', async ({ told, document }) => {
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(told.length, 0);
  document.hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(told.length, 1);
});

watching('a clock that jumps is a device that has slept; one that ticks is none', async ({ world, told }) => {
  await world.pass(60_000);
  assert.equal(told.length, 0);
  world.now += 30_000;
  await world.pass(1_000);
  assert.equal(told.length, 1);
});

watching('a device that says that it has no network is believed', async () => {
  assert.equal(isOffline(), false);
  globalThis.navigator.onLine = false;
  assert.equal(isOffline(), true);
});

watching('the device is to blame before the server, and a page’s own server is never elsewhere', async () => {
  const codes = () => [absence('ws://host/ws', true), absence('ws://host/ws', false), absence('ws://other/ws', false)];
  assert.deepEqual(codes(), ['server_lost', 'server_unreachable', 'server_elsewhere_unreachable']);
  globalThis.navigator.onLine = false;
  assert.deepEqual(codes(), ['offline', 'offline', 'offline']);
});
