import assert from 'node:assert/strict';
import test from 'node:test';

import { Dialler } from '../../player/dialler.js';
import { Line } from '../../player/line.js';
import { World } from './support/world.mjs';

/** @param {(world: World, dialler: Dialler, heard: string[]) => Promise<void>} body */
const inWorld = (name, body) =>
  test(name, async (t) => {
    const world = new World();
    t.after(() => world.restore());
    const heard = [];
    const dialler = new Dialler('ws://host:4545/ws', {
      greeted: () => heard.push('greeted'),
      message: (message) => heard.push(message.type),
      failed: () => heard.push('failed'),
    });
    await body(world, dialler, heard);
  });

inWorld('attempts come back at 0.3 s and more and more slowly, up to 30 s', async (world, dialler) => {
  dialler.dial();
  const pauses = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const before = world.now;
    const sockets = world.sockets.length;
    world.socket.breaks();
    while (world.sockets.length === sockets) await world.pass(1);
    pauses.push(world.now - before);
  }
  assert.ok(pauses[0] >= 225 && pauses[0] <= 300, String(pauses));
  assert.ok(pauses.every((pause) => pause <= 30_000), String(pauses));
  assert.ok(pauses.at(-1) >= 22_500, String(pauses));
});

inWorld('a server that comes back is found within seconds, and without many attempts that fail', async (world, dialler) => {
  const { fetch } = globalThis;
  globalThis.fetch = async () => {
    throw new TypeError('refused');
  };
  dialler.dialSoon();
  for (let second = 0; second < 600; second += 1) {
    await world.pass(1_000);
    if (world.socket && !world.socket.closed) world.socket.breaks();
  }
  const attempts = world.sockets.length;
  assert.ok(attempts < 40, String(attempts)); // Chromium slows down who fails more often
  globalThis.fetch = fetch;
  await world.pass(2_500);
  assert.ok(world.sockets.length > attempts);
  world.socket.welcomes();
  const { requests } = world;
  await world.pass(4_000);
  assert.equal(world.requests, requests);
});

inWorld('a server that answers requests and takes no connection is left alone', async (world, dialler) => {
  dialler.dial();
  const times = [];
  for (let n = 0; n < 6; n += 1) {
    world.socket.breaks();
    const [before, { length }] = [world.now, world.sockets];
    while (world.sockets.length === length) await world.pass(10);
    times.push(world.now - before);
  }
  assert.ok(times.at(-1) > 5_000, String(times));
});

/** As a content security policy does that allows WebSockets alone; gives back how to end it. */
function forbidRequests() {
  globalThis.document = new EventTarget();
  const violation = { blockedURI: 'http://host:4545/healthz' };
  globalThis.fetch = async () => {
    document.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), violation));
    throw new TypeError('refused to connect');
  };
  return () => delete globalThis.document;
}

/** Until nothing but attempts can find the server. */
async function blinded(world, dialler) {
  world.answers = false;
  dialler.dial();
  await world.pass(60_000);
}

const open = (world) => world.sockets.filter(({ closed }) => !closed);

inWorld('where nobody answers attempts overlap: Chromium has each wait for 5 s', async (world, dialler) => {
  await blinded(world, dialler);
  const { length } = world.sockets;
  for (let second = 0; second < 60; second += 1) {
    await world.pass(1_000);
    assert.ok(open(world).length >= 4 && open(world).length <= 6, String(open(world).length));
  }
  const attempts = world.sockets.length - length;
  assert.ok(attempts >= 40 && attempts <= 54, String(attempts));
});

inWorld('requests that fail once systems give their connections up are no sign of a server', async (world, dialler) => {
  await blinded(world, dialler);
  globalThis.fetch = async () => {
    throw new TypeError('timed out');
  };
  const { length } = world.sockets;
  await world.pass(30_000);
  assert.ok(world.sockets.length >= length + 20, String(world.sockets.length - length));
});

inWorld('whoever opens one of several attempts is left alone with it', async (world, dialler, heard) => {
  await blinded(world, dialler);
  const [first] = open(world);
  const { length } = world.sockets;
  first.opens();
  assert.deepEqual(open(world), [first]);
  await world.pass(8_000);
  assert.equal(world.sockets.length, length);
  first.welcomes();
  await world.pass(60_000);
  assert.deepEqual([open(world), world.sockets.length, heard.at(-1)], [[first], length, 'greeted']);
});

inWorld('whoever opens an attempt and does not greet us is tried again', async (world, dialler, heard) => {
  await blinded(world, dialler);
  const [first] = open(world);
  first.opens();
  await world.pass(11_000);
  assert.deepEqual([first.closed, heard.at(-1)], [true, 'failed']);
  assert.ok(open(world).length > 0);
});

inWorld('attempts overlap as soon as nothing else finds the server, and each failure is told', async (world, dialler, heard) => {
  const allow = forbidRequests();
  try {
    dialler.dial();
    await world.pass(8_000);
    assert.ok(open(world).length >= 4, String(open(world).length));
    await world.pass(2_000);
    assert.deepEqual([world.sockets[0].closed, heard[0]], [true, 'failed']);
  } finally {
    allow();
  }
});

inWorld('several attempts end together when nobody wants them', async (world, dialler, heard) => {
  await blinded(world, dialler);
  dialler.stop();
  dialler.stop();
  heard.length = 0;
  await world.pass(60_000);
  assert.deepEqual([open(world), world.timers, heard], [[], 0, []]);
});

inWorld('where nobody answers a sign of the network has the next attempt take its turn', async (world, dialler) => {
  await blinded(world, dialler);
  const [oldest, ...others] = open(world);
  dialler.hurry();
  assert.deepEqual([oldest.closed, others.some(({ closed }) => closed)], [true, false]);
  assert.equal(open(world).length, others.length + 1);
});

inWorld('a server that does not greet us may say why', async (world, dialler, heard) => {
  dialler.dial();
  world.socket.opens();
  world.socket.says({ type: 'error', code: 'version_unsupported', message: '' });
  world.socket.breaks();
  assert.deepEqual(heard, ['error', 'failed']);
});

inWorld('a pause that a server asked for is not shortened', async (world, dialler) => {
  dialler.dialLater(60_000);
  dialler.hurry();
  await world.pass(59_000);
  assert.equal(world.sockets.length, 0);
  await world.pass(1_000);
  assert.equal(world.sockets.length, 1);
});

inWorld('an attempt that somebody else has begun is gone on with', async (world, dialler, heard) => {
  const line = new Line('ws://host:4545/ws', {});
  dialler.adopt(line);
  dialler.dial();
  assert.equal(world.sockets.length, 1);
  world.socket.welcomes();
  assert.deepEqual(heard, ['greeted']);
});

inWorld('an attempt that began without a network is given up when the server is there', async (world, dialler) => {
  world.answers = false;
  dialler.dial();
  await world.pass(5_000);
  assert.equal(world.sockets.length, 1);
  world.answers = true;
  await world.pass(2_500);
  assert.deepEqual([world.sockets.length, world.sockets[0].closed], [2, true]);
});

inWorld('a network that is slow is not taken for one that was gone', async (world, dialler) => {
  globalThis.fetch = () => new Promise((answered) => setTimeout(answered, 3_500));
  dialler.dial();
  await world.pass(9_500);
  assert.equal(world.sockets.length, 1);
});

inWorld('a page that may ask for nothing but connections tries those more often', async (world, dialler) => {
  const allow = forbidRequests();
  try {
    dialler.dial();
    const pauses = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      while (open(world).length === 0) await world.pass(10);
      const before = world.now;
      for (const socket of open(world)) socket.breaks();
      while (open(world).length === 0) await world.pass(10);
      pauses.push(world.now - before);
    }
    assert.ok(pauses.every((pause) => pause <= 5_010), String(pauses));
    assert.ok(pauses.at(-1) >= 3_750, String(pauses));
  } finally {
    allow();
  }
});
