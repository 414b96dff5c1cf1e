import assert from 'node:assert/strict';
import test from 'node:test';

import { Signalling } from '../../player/signalling.js';
import { World } from './support/world.mjs';

/** @param {(world: World, signalling: Signalling, heard: string[]) => Promise<void>} body */
const inWorld = (name, body) =>
  test(name, async (t) => {
    const world = new World();
    t.after(() => world.restore());
    const heard = [];
    const signalling = new Signalling('ws://host:4545/ws', {
      welcomed: () => heard.push('welcomed'),
      message: (message) => heard.push(message.type),
      lost: (wasWelcome) => heard.push(wasWelcome ? 'lost' : 'unreachable'),
      sentAway: () => heard.push('sent away'),
    });
    await body(world, signalling, heard);
  });

inWorld('hello comes first, and nothing else before the welcome', async (world, signalling, heard) => {
  signalling.dial();
  signalling.send({ type: 'join' });
  world.socket.onopen();
  signalling.send({ type: 'join' });
  assert.deepEqual(world.socket.said, ['hello']);
  world.socket.welcomes();
  signalling.send({ type: 'join' });
  assert.equal(world.socket.said.at(-1), 'join');
  assert.deepEqual(heard, ['welcomed']);
});

inWorld('dialling twice opens one connection', async (world, signalling) => {
  signalling.dial();
  signalling.dial();
  assert.equal(world.sockets.length, 1);
});

inWorld('a ping is answered, a pong and what is not understood are nobody’s business', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  world.socket.says({ type: 'ping' });
  world.socket.says({ type: 'pong' });
  world.socket.says({ type: 'of the future' });
  assert.equal(world.socket.said.at(-1), 'pong');
  assert.deepEqual(heard, ['welcomed']);
});

inWorld('a server that is silent is asked after 5 s and left after 10 s', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [socket] = world.sockets;
  socket.silent = true;
  await world.pass(4_000);
  assert.ok(!socket.said.includes('ping'));
  await world.pass(3_500);
  assert.ok(socket.said.includes('ping'));
  await world.pass(2_000);
  assert.ok(!socket.closed);
  await world.pass(1_000);
  assert.ok(socket.closed);
  assert.deepEqual(heard, ['welcomed', 'lost']);
});

inWorld('a server that speaks is never left', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  for (let second = 0; second < 60; second += 4) {
    await world.pass(4_000);
    world.socket.says({ type: 'pong' });
  }
  assert.deepEqual(heard, ['welcomed']);
});

inWorld('a connection without a welcome within 10 s is given up', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.onopen();
  await world.pass(10_000);
  assert.ok(world.sockets[0].closed);
  assert.deepEqual(heard, ['unreachable']);
});

inWorld('a server that is doubted and answers is kept', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  signalling.doubt();
  assert.equal(world.socket.said.at(-1), 'ping');
  await world.pass(3_000);
  assert.deepEqual([world.sockets.length, heard], [1, ['welcomed']]);
});

inWorld('a server that is doubted and mute is dialled beside, and left when that is greeted', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [first] = world.sockets;
  first.silent = true;
  signalling.doubt();
  signalling.doubt();
  await world.pass(500);
  assert.deepEqual([world.sockets.length, first.closed], [2, false]);
  world.socket.welcomes();
  assert.deepEqual([first.closed, heard], [true, ['welcomed', 'lost', 'welcomed']]);
  signalling.send({ type: 'join' });
  assert.equal(world.socket.said.at(-1), 'join');
});

inWorld('a server that is slow to answer, and not gone, keeps its connection', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [first] = world.sockets;
  first.silent = true;
  signalling.doubt();
  await world.pass(600);
  first.says({ type: 'pong' });
  assert.deepEqual([world.sockets.length, world.sockets[1].closed, first.closed], [2, true, false]);
  await world.pass(4_000);
  assert.deepEqual([world.sockets.length, heard], [2, ['welcomed']]);
});

inWorld('doubt ends a pause of our own, not one that the server asked for', async (world, signalling) => {
  signalling.dial();
  for (let n = 0; n < 6; n += 1) {
    const { length } = world.sockets;
    world.socket.breaks();
    while (n < 5 && world.sockets.length === length) await world.pass(100);
  }
  const { length } = world.sockets;
  signalling.doubt();
  assert.equal(world.sockets.length, length + 1);
  world.socket.welcomes();
  signalling.redial(60_000);
  signalling.doubt();
  await world.pass(59_000);
  assert.equal(world.sockets.length, length + 1);
  signalling.hangUp();
  signalling.doubt();
  assert.equal(world.sockets.length, length + 1);
});

inWorld('a goaway says when to come back', async (world, signalling) => {
  signalling.dial();
  world.socket.welcomes();
  world.socket.says({ type: 'goaway', after: 4 });
  world.socket.breaks();
  await world.pass(4_000);
  assert.equal(world.sockets.length, 1);
  await world.pass(1_500);
  assert.equal(world.sockets.length, 2);
});

inWorld('a move opens the next connection before it lets the first one go', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [first] = world.sockets;
  first.says({ type: 'goaway', after: 1 });
  signalling.move();
  await world.pass(1_000);
  assert.equal(world.sockets.length, 2);
  const [, second] = world.sockets;
  signalling.send({ type: 'join' });
  assert.equal(first.said.at(-1), 'join');
  first.says({ type: 'waiting', room: 'MyRoom' });
  second.welcomes();
  signalling.send({ type: 'resume' });
  assert.equal(second.said.at(-1), 'resume');
  first.says({ type: 'source', state: 'live' });
  assert.deepEqual([first.closed, second.closed], [false, false]);
  second.says({ type: 'resumed', session: 's'.repeat(22) });
  assert.deepEqual([first.closed, second.closed], [true, false]);
  assert.deepEqual(heard, ['welcomed', 'sent away', 'waiting', 'welcomed', 'source', 'resumed']);
  await world.pass(60_000);
  assert.equal(world.sockets.length, 2);
});

for (const [what, refuse] of [
  ['refuses', (socket) => socket.says({ type: 'error', code: 'store_unavailable', message: '' })],
  ['will go as well', (socket) => socket.says({ type: 'goaway', after: 0 })],
  ['is lost', (socket) => socket.breaks()],
]) {
  inWorld(`a viewer keeps its place when the next server ${what}`, async (world, signalling, heard) => {
    signalling.dial();
    world.socket.welcomes();
    const [first] = world.sockets;
    first.says({ type: 'goaway', after: 0 });
    signalling.move();
    const pauses = [];
    for (const attempt of [2, 3, 4, 5]) {
      const before = world.now;
      while (world.sockets.length < attempt) await world.pass(10);
      pauses.push(world.now - before);
      world.socket.welcomes();
      refuse(world.socket);
      assert.equal(first.closed, false);
    }
    assert.ok(pauses[3] > 2 * pauses[1], String(pauses));
    signalling.send({ type: 'ping' });
    assert.equal(first.said.at(-1), 'ping');
    assert.ok(!heard.includes('error') && !heard.includes('lost'), String(heard));
  });
}

inWorld('a camera that comes meanwhile is watched where it came', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [first] = world.sockets;
  first.says({ type: 'goaway', after: 0 });
  signalling.move();
  await world.pass(1);
  const [, second] = world.sockets;
  second.welcomes();
  first.says({ type: 'joined', room: 'MyRoom', session: 's1', secret: 'secret' });
  assert.deepEqual([first.closed, second.closed, heard.at(-1)], [false, true, 'joined']);
  signalling.send({ type: 'offer' });
  assert.equal(first.said.at(-1), 'offer');
});

inWorld('the first server may go before the next one has answered', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  world.socket.says({ type: 'goaway', after: 0 });
  signalling.move();
  await world.pass(1);
  const [first, second] = world.sockets;
  second.welcomes();
  first.breaks();
  second.says({ type: 'waiting', room: 'MyRoom' });
  assert.deepEqual([second.closed, heard.at(-1)], [false, 'waiting']);
  signalling.hangUp();
  assert.ok(second.closed);
});

inWorld('a move is tried again for as long as the first connection lasts', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  const [first] = world.sockets;
  first.says({ type: 'goaway', after: 0 });
  signalling.move();
  for (const attempt of [2, 3, 4]) {
    while (world.sockets.length < attempt) await world.pass(100);
    world.socket.says({ type: 'error', code: 'shutting_down', message: '' });
    world.socket.breaks();
  }
  while (world.sockets.length < 5) await world.pass(100);
  first.breaks(); // the attempt that is under way takes its place
  world.socket.welcomes();
  await world.pass(10_000);
  assert.equal(world.sockets.length, 5);
  assert.deepEqual(heard, ['welcomed', 'sent away', 'lost', 'welcomed']);
});

inWorld('who stays or hangs up moves no more', async (world, signalling, heard) => {
  signalling.dial();
  world.socket.welcomes();
  world.socket.says({ type: 'goaway', after: 0 });
  signalling.move();
  await world.pass(1);
  const [first, second] = world.sockets;
  signalling.stay();
  second.welcomes();
  assert.deepEqual([first.closed, second.closed, heard.length], [false, true, 2]);
  signalling.move();
  signalling.hangUp();
  await world.pass(10_000);
  assert.equal(world.sockets.length, 2);
});

inWorld('whoever hung up hears nothing more and comes not back', async (world, signalling, heard) => {
  signalling.dial();
  const [socket] = world.sockets;
  signalling.hangUp();
  signalling.hangUp();
  socket.welcomes();
  socket.breaks();
  await world.pass(60_000);
  assert.deepEqual([socket.closed, world.sockets.length, heard], [true, 1, []]);
});
