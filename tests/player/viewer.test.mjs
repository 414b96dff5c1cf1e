import assert from 'node:assert/strict';
import test from 'node:test';

import { Viewer } from '../../player/viewer.js';
import { settled, World } from './support/world.mjs';

const SESSION = { type: 'joined', room: 'MyRoom', session: 's1', secret: 'secret', source: { type: 'source', state: 'live' } };
const ICE = [{ urls: ['turn:turn.example.org'], username: 'u', credential: 'c' }];

/** A viewer of MyRoom in a world of its own; `face` counts what was asked of the screen. */
class Scene {
  world = new World();
  feeds = [];
  frozen = 0;

  constructor(secret = null) {
    this.viewer = new Viewer('ws://host/ws', { room: 'MyRoom', secret }, {
      show: (feed) => this.feeds.push(feed),
      freeze: () => (this.frozen += 1),
      changed: () => undefined,
      measured: () => undefined,
    });
  }

  get state() {
    return this.viewer.view.state;
  }

  get reason() {
    return this.viewer.view.reason?.code ?? null;
  }

  async says(message) {
    this.world.socket.says(message);
    await settled();
  }

  async join() {
    this.viewer.start();
    this.world.socket.welcomes();
    await settled();
  }

  async play(joined = SESSION) {
    if (this.state !== 'joining') await this.join();
    await this.says(joined);
    await this.says({ type: 'answer', session: joined.session, sdp: 'v=0 answer' });
    this.world.peer.becomes('connected');
    this.viewer.pictured();
  }
}

const scene = (name, body, secret = null) =>
  test(name, async (t) => {
    const it = new Scene(secret);
    t.after(() => it.world.restore());
    await body(it, it.world);
  });

scene('joins, offers, takes the answer, and plays', async (it, world) => {
  await it.play({ ...SESSION, ice_servers: ICE, ice_policy: 'relay' });
  assert.equal(it.state, 'playing');
  assert.deepEqual(world.socket.said, ['hello', 'join', 'offer']);
  assert.deepEqual(world.peer.configuration, { iceServers: ICE, iceTransportPolicy: 'relay', bundlePolicy: 'max-bundle' });
  assert.equal(world.peer.gatheredUnder, 'relay'); // or its own addresses would have left already
  assert.deepEqual(world.peer.remote, [{ type: 'answer', sdp: 'v=0 answer' }]);
  assert.deepEqual(world.peer.receivers.map((receiver) => receiver.jitterBufferTarget), [0, 0]);
  assert.deepEqual(world.peer.preferred.map((codec) => codec.mimeType), ['video/H264', 'video/rtx']);
  assert.deepEqual(it.feeds[0].stream.tracks.map((track) => track.kind), ['video', 'audio']);
});

scene('shows a proof, and the secret to nobody', async (it, world) => {
  await it.play();
  const [, join] = world.socket.sent;
  assert.equal(join.proof.length, 43);
  assert.ok(!JSON.stringify(world.socket.sent).includes('dmlld2VyLXNlY3JldC0wMQ'));
}, 'dmlld2VyLXNlY3JldC0wMQ');

scene('candidates go both ways, and wait for the answer', async (it, world) => {
  await it.join();
  await it.says(SESSION);
  world.peer.onicecandidate({ candidate: { candidate: 'candidate:1', toJSON: () => ({ candidate: 'candidate:1' }) } });
  world.peer.onicecandidate({ candidate: { candidate: '' } });
  world.peer.onicecandidate({ candidate: null });
  assert.deepEqual(world.socket.sent.slice(3).map((message) => message.candidate), [{ candidate: 'candidate:1' }, null]);
  world.socket.says({ type: 'answer', session: 's1', sdp: 'v=0' });
  world.socket.says({ type: 'candidate', session: 's1', candidate: { candidate: 'candidate:2' } });
  world.socket.says({ type: 'candidate', session: 's1', candidate: null });
  world.socket.says({ type: 'candidate', session: 'another', candidate: { candidate: 'candidate:3' } });
  await settled();
  assert.deepEqual(world.peer.remote.slice(1), [{ candidate: 'candidate:2' }, null]);
});

scene('sends 64 candidates at the most', async (it, world) => {
  await it.join();
  await it.says(SESSION);
  const candidate = { candidate: 'candidate:1', toJSON: () => ({}) };
  for (let n = 0; n < 100; n += 1) world.peer.onicecandidate({ candidate });
  assert.equal(world.socket.said.filter((type) => type === 'candidate').length, 64);
});

scene('media goes on when signalling is lost, and the session is resumed', async (it, world) => {
  await it.play();
  world.socket.breaks();
  await world.pass(500);
  world.socket.welcomes();
  assert.equal(it.state, 'playing');
  assert.deepEqual(world.socket.sent[1], { type: 'resume', session: 's1', secret: 'secret', room: 'MyRoom' });
  await it.says({ type: 'resumed', session: 's1' });
  assert.deepEqual([it.state, it.frozen, world.peer.closed], ['playing', 0, false]);
});

scene('a server that knows nothing of the session does not touch the picture; its end brings a new one', async (it, world) => {
  await it.play();
  world.socket.breaks();
  await world.pass(500);
  world.socket.welcomes();
  await it.says({ type: 'error', code: 'session_unknown', message: '?', session: 's1' });
  await world.pass(60_000);
  assert.deepEqual([it.state, world.peer.closed, world.sockets.length], ['playing', false, 2]);
  world.peer.becomes('failed');
  await world.pass(0);
  world.socket.welcomes();
  assert.equal(it.state, 'reconnecting');
  assert.deepEqual([world.sockets.length, world.socket.said], [3, ['hello', 'join']]);
});

scene('lost media: the last frame is kept, the end said, and the room joined at once', async (it, world) => {
  await it.play();
  world.peer.becomes('failed');
  await world.pass(0);
  assert.deepEqual([it.state, it.reason, it.frozen, world.peers[0].closed], ['reconnecting', 'media_lost', 1, true]);
  assert.deepEqual(world.socket.sent.slice(3), [
    { type: 'end', session: 's1', reason: 'media_lost' },
    { type: 'join', room: 'MyRoom' },
  ]);
  await it.says({ ...SESSION, session: 's2' });
  world.peer.becomes('connected');
  assert.deepEqual([it.state, it.reason, world.peers.length], ['playing', null, 2]);
});

scene('a short gap in the path is sat out, a long one is not', async (it, world) => {
  await it.play();
  world.peer.becomes('disconnected');
  await world.pass(2_500);
  world.peer.becomes('connected');
  await world.pass(10_000);
  assert.equal(it.state, 'playing');
  world.peer.becomes('disconnected');
  await world.pass(3_500);
  assert.equal(it.state, 'reconnecting');
});

/** Packets and pictures come for so long. */
async function flows(it, world, milliseconds, peer = world.peer) {
  for (const end = world.now + milliseconds; world.now < end; ) {
    peer.packets += 40;
    peer.frames += 7;
    await world.pass(250);
  }
}

scene('a path that falls silent: the last frame stays, and another is asked for within 2 s', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  await world.pass(1_500);
  assert.deepEqual([it.state, world.socket.said.at(-1)], ['playing', 'ping']);
  await world.pass(750);
  assert.deepEqual([it.state, it.reason, it.frozen, world.peers[0].closed], ['reconnecting', 'media_silent', 1, false]);
  assert.deepEqual(world.socket.said.slice(3), ['ping', 'join']); // no word of an end: it may come back
  await it.says({ ...SESSION, session: 's2' });
  assert.deepEqual([it.state, it.feeds.length], ['negotiating', 1]);
  world.peer.becomes('connected');
  assert.deepEqual([it.state, it.feeds.length, world.peers[0].closed, world.peer.closed], ['playing', 2, true, false]);
});

scene('a path that comes back before another place is given is taken back', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  await world.pass(2_250);
  await flows(it, world, 250, world.peers[0]);
  assert.deepEqual([it.state, world.peers[0].closed, it.frozen], ['playing', false, 1]);
  assert.deepEqual([it.feeds.length, it.feeds[0] === it.feeds[1]], [2, true]);
  await it.says({ type: 'end', session: 's1', reason: 'camera_stopped' });
  assert.equal(it.state, 'reconnecting');
});

/** The place that was asked for in a silence is given; `first` is the path whose place it takes. */
async function replaced(it, world) {
  await it.play();
  await flows(it, world, 3_000);
  await world.pass(2_250);
  await it.says({ ...SESSION, session: 's2' });
  return world.peers;
}

scene('a path that comes back while another is made shows its pictures until the other does', async (it, world) => {
  const [first, second] = await replaced(it, world);
  await flows(it, world, 250, first);
  it.viewer.pictured();
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen], ['negotiating', true, 1]);
  assert.deepEqual([it.feeds.length, it.feeds[0] === it.feeds[1]], [2, true]);
  second.becomes('connected');
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen], ['playing', true, 2]); // its last frame stays
  assert.deepEqual([first.closed, second.closed, it.feeds.length], [true, false, 3]);
});

scene('a path that came back and went again leaves its last frame', async (it, world) => {
  const [first, second] = await replaced(it, world);
  await flows(it, world, 250, first);
  it.viewer.pictured();
  await world.pass(2_250);
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen, first.closed], ['negotiating', false, 2, false]);
  await flows(it, world, 250, first);
  it.viewer.pictured();
  const { transport } = first.receivers[0];
  first.becomes('failed');
  transport.dispatchEvent(new Event('statechange'));
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen, first.closed], ['negotiating', false, 3, true]);
  second.becomes('connected');
  assert.equal(it.state, 'playing');
});

scene('a path that came back shows its pictures while others are tried in vain', async (it, world) => {
  const [first, second] = await replaced(it, world);
  await flows(it, world, 250, first);
  it.viewer.pictured();
  await it.says({ type: 'end', session: 's2', reason: 'camera_full' });
  assert.deepEqual([it.state, it.viewer.view.picture, first.closed, second.closed], ['reconnecting', true, false, true]);
  await flows(it, world, 1_000, first);
  await it.says({ ...SESSION, session: 's3' });
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen], ['negotiating', true, 1]);
  world.peer.becomes('connected');
  assert.deepEqual([it.state, it.frozen, world.peers.map(({ closed }) => closed)], ['playing', 2, [true, true, false]]);
});

scene('whoever leaves while a former path shows its pictures leaves that, too', async (it, world) => {
  const [first] = await replaced(it, world);
  await flows(it, world, 250, first);
  it.viewer.pictured();
  await it.says({ type: 'end', session: 's2', reason: 'camera_full' });
  assert.deepEqual([it.state, it.viewer.view.picture], ['reconnecting', true]);
  it.viewer.stop();
  assert.deepEqual([it.state, it.viewer.view.picture, it.frozen, world.timers], ['idle', false, 2, 0]);
  assert.ok(world.peers.every(({ closed }) => closed));
});

scene('a place that is given when the picture is back is taken, and the picture goes on', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  await world.pass(2_250);
  await flows(it, world, 250, world.peers[0]);
  it.viewer.pictured();
  const told = [];
  it.viewer.face.changed = ({ state, picture }) => told.push([state, picture]);
  await it.says({ ...SESSION, session: 's2' });
  assert.deepEqual(told, [['negotiating', true]]);
  world.peer.becomes('connected');
  assert.deepEqual(told.at(-1), ['playing', true]); // nobody is told that anything happened
  assert.deepEqual([it.frozen, world.peers.map(({ closed }) => closed)], [2, [true, false]]);
});

scene('signalling and media that fall silent together are mended together, in the same place', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  const [first] = world.sockets;
  first.silent = true;
  await world.pass(1_750);
  assert.deepEqual([it.state, world.sockets.length], ['playing', 2]);
  world.socket.welcomes();
  await settled();
  assert.deepEqual([it.state, it.reason, first.closed], ['reconnecting', 'media_silent', true]);
  assert.deepEqual(world.socket.said, ['hello', 'resume', 'join']);
  await it.says({ type: 'resumed', session: 's1' });
  await it.says({ ...SESSION, session: 's2' });
  world.peer.becomes('connected');
  assert.deepEqual([it.state, world.peers[0].closed], ['playing', true]);
});

scene('a path that was given up soon, and was only late, is taken back with its next picture', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  const [first] = world.sockets;
  first.silent = true;
  await world.tells('online');
  await world.pass(500);
  world.socket.welcomes();
  await settled();
  assert.deepEqual([it.state, it.reason, first.closed], ['reconnecting', 'media_silent', true]);
  await flows(it, world, 250, world.peers[0]);
  assert.deepEqual([it.state, it.reason, world.peers[0].closed], ['playing', null, false]);
});

scene('a browser that says that its network is back is believed, and asked for nothing else', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  await world.tells('online');
  assert.equal(world.socket.said.at(-1), 'ping');
  await world.pass(750);
  assert.equal(it.state, 'reconnecting');
  it.viewer.stop();
  const { length } = world.socket.sent;
  await world.tells('online');
  assert.deepEqual([world.sockets.length, world.socket.sent.length], [1, length]);
});

scene('a page that has slept asks whether the server is there', async (it, world) => {
  await it.play();
  world.socket.silent = true;
  world.now += 60_000;
  await world.pass(1_000);
  assert.ok(world.sockets.length > 1 || world.socket.said.includes('ping'));
});

scene('pictures that stop while reports come are no matter of the path', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  for (let n = 0; n < 20; n += 1) {
    world.peer.packets += 1;
    await world.pass(1_500);
  }
  assert.deepEqual([it.state, it.viewer.view.stalled, world.peers.length], ['playing', true, 1]);
});

scene('a silent path that the camera has ended is not waited for', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  await world.pass(2_250);
  await it.says({ type: 'end', session: 's1', reason: 'media_lost' });
  assert.ok(world.peers[0].closed);
  await it.says({ ...SESSION, session: 's2' });
  assert.equal(it.feeds.length, 2);
});

scene('a silent path is watched for a while, not for ever', async (it, world) => {
  await it.play();
  await flows(it, world, 3_000);
  world.socket.silent = true;
  await world.pass(2_250);
  assert.equal(world.peers[0].closed, false);
  await world.pass(15_000);
  assert.ok(world.peers[0].closed);
});

scene('whoever was connected before waits 7 s for a path, not 15', async (it, world) => {
  await it.play();
  world.peer.becomes('failed');
  await world.pass(0);
  await it.says({ ...SESSION, session: 's2' });
  await world.pass(6_900);
  assert.equal(it.state, 'negotiating');
  await world.pass(200);
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'connect_timeout']);
});

/** @param {any} world */
function closesTransport(world) {
  const { transport } = world.peer.receivers[0];
  transport.state = 'closed';
  transport.dispatchEvent(new Event('statechange'));
}

scene('a camera that closes its transport is noticed long before its silence', async (it, world) => {
  await it.play();
  closesTransport(world);
  await world.pass(300);
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'media_lost']);
});

scene('a camera that closes its transport may say why a moment later', async (it, world) => {
  await it.play();
  closesTransport(world);
  await world.pass(200);
  assert.ok(!world.socket.said.includes('end'));
  await it.says({ type: 'end', session: 's1', reason: 'camera_stopped' });
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'camera_stopped']);
  await world.pass(300);
  assert.equal(it.reason, 'camera_stopped');
});

scene('no path within 15 s: said so, and tried again more and more slowly', async (it, world) => {
  await it.join();
  await it.says(SESSION);
  await world.pass(15_000);
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'connect_timeout']);
  await it.says({ ...SESSION, session: 's2' });
  await it.says({ type: 'end', session: 's2', reason: 'camera_full' });
  assert.equal(world.socket.said.filter((type) => type === 'join').length, 2);
  await world.pass(700);
  assert.equal(world.socket.said.filter((type) => type === 'join').length, 2);
  await world.pass(300);
  assert.equal(world.socket.said.filter((type) => type === 'join').length, 3);
});

scene('an answer that cannot be used ends the attempt', async (it) => {
  await it.join();
  await it.says(SESSION);
  await it.says({ type: 'answer', session: 's1', sdp: 'broken' });
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'offer_failed']);
});

scene('an unknown room is asked for again and again, each time on a new connection', async (it, world) => {
  await it.join();
  const times = [];
  for (let n = 0; n < 5; n += 1) {
    const [before, sockets] = [world.now, world.sockets.length];
    await it.says({ type: 'error', code: 'room_unknown', message: '?' });
    assert.deepEqual([it.state, it.reason], ['joining', 'room_unknown']);
    while (world.sockets.length === sockets) await world.pass(10);
    times.push(world.now - before);
    world.socket.welcomes();
    assert.equal(it.reason, 'room_unknown');
  }
  assert.ok(times[0] <= 1_010 && times.at(-1) > 2_990 && times.every((time) => time <= 4_010), String(times));
});

scene('a full room is asked for again when the server says so', async (it, world) => {
  await it.join();
  await it.says({ type: 'error', code: 'room_full', message: '?', retry_after: 8 });
  await world.pass(7_900);
  assert.equal(world.sockets.length, 1);
  await world.pass(4_200); // up to half as much again: it was said to all who wanted in
  assert.equal(world.sockets.length, 2);
});

scene('a viewer that waits moves to another server before this one goes', async (it, world) => {
  await it.join();
  await it.says({ type: 'waiting', room: 'MyRoom' });
  const [first] = world.sockets;
  await it.says({ type: 'goaway', after: 1 });
  await world.pass(1_000);
  assert.deepEqual([world.sockets.length, first.closed], [2, false]);
  world.socket.welcomes();
  assert.deepEqual([first.closed, world.socket.said.at(-1), it.state], [false, 'join', 'waiting']);
  await it.says(SESSION);
  assert.deepEqual([first.closed, it.state], [true, 'negotiating']);
});

scene('a picture runs on while its signalling moves, and its session is resumed', async (it, world) => {
  await it.play();
  await it.says({ type: 'goaway', after: 1 });
  await world.pass(1_000);
  assert.equal(it.state, 'playing');
  world.socket.welcomes();
  assert.deepEqual([world.socket.said, world.peer.closed], [['hello', 'resume'], false]);
});

scene('a session that is being made is not left for another server', async (it, world) => {
  await it.join();
  await it.says({ type: 'waiting', room: 'MyRoom' });
  await it.says({ type: 'goaway', after: 0 });
  await world.pass(1);
  const [first, second] = world.sockets;
  first.says(SESSION);
  await settled();
  assert.deepEqual([it.state, first.closed, second.closed], ['negotiating', false, true]);
  await world.pass(5_000);
  assert.equal(world.sockets.length, 2);
});

scene('waits for a camera, and plays when it comes', async (it) => {
  await it.join();
  await it.says({ type: 'waiting', room: 'MyRoom' });
  assert.equal(it.state, 'waiting');
  await it.says(SESSION);
  assert.equal(it.state, 'negotiating');
});

scene('whoever waited too long for the server asks again', async (it, world) => {
  await it.join();
  await it.says({ type: 'waiting', room: 'MyRoom' });
  await it.says({ type: 'error', code: 'room_unknown', message: '?' });
  await world.pass(0);
  assert.deepEqual([it.state, it.reason, world.socket.said.at(-1)], ['joining', null, 'join']);
});

scene('a camera that was stopped: said so while waiting for it', async (it, world) => {
  await it.play();
  await it.says({ type: 'end', session: 's1', reason: 'camera_stopped' });
  await world.pass(0);
  await it.says({ type: 'waiting', room: 'MyRoom' });
  assert.deepEqual([it.state, it.reason, it.frozen], ['waiting', 'camera_stopped', 1]);
});

scene('a camera that admits somebody while it stops has stopped all the same', async (it, world) => {
  await it.play();
  await it.says({ type: 'end', session: 's1', reason: 'camera_stopped' });
  await world.pass(0);
  await it.says({ ...SESSION, session: 's2' });
  await it.says({ type: 'waiting', room: 'MyRoom' });
  await it.says({ type: 'error', code: 'session_unknown', message: '?', session: 's2' }); // of its offer, or of a candidate
  assert.deepEqual([it.state, it.reason], ['waiting', 'camera_stopped']);
});

scene('a camera that is gone to the server alone keeps its picture; only its media ends it', async (it, world) => {
  await it.play();
  await it.says({ type: 'end', session: 's1', reason: 'camera_gone' });
  await world.pass(60_000);
  assert.deepEqual([it.state, it.reason, it.frozen, world.peer.closed], ['playing', null, 0, false]);
  world.peer.becomes('failed');
  await world.pass(0);
  world.socket.welcomes();
  assert.deepEqual([it.state, world.sockets.length, world.socket.said], ['reconnecting', 2, ['hello', 'join']]);
});

scene('a camera that goes while the way to it is looked for is waited for, and said to be gone', async (it, world) => {
  await it.join();
  await it.says(SESSION);
  await it.says({ type: 'end', session: 's1', reason: 'camera_gone' });
  await world.pass(0);
  await it.says({ type: 'waiting', room: 'MyRoom' });
  assert.deepEqual([it.state, it.reason], ['waiting', 'camera_gone']);
});

scene('a camera that closes its media before the word of it arrives is still said to have stopped', async (it, world) => {
  await it.play();
  world.peer.becomes('failed');
  await it.says({ type: 'end', session: 's1', reason: 'camera_stopped' });
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'camera_stopped']);
});

scene('a picture that goes is never called anything in between', async (it, world) => {
  const told = [];
  await it.play();
  it.viewer.face.changed = ({ state, picture }) => told.push([state, picture]);
  world.peer.becomes('failed');
  assert.deepEqual(told, [['reconnecting', false]]);
});

scene('the camera’s state is passed on, with its reason', async (it) => {
  await it.play();
  await it.says({ type: 'source', state: 'lost', code: 'source_unreachable', message: 'Nothing answers.' });
  assert.equal(it.viewer.view.source.message, 'Nothing answers.');
  assert.equal(it.state, 'playing');
});

scene('a browser without H.264 of any kind is told so, and keeps no place', async (it, world) => {
  world.codecs = [{ mimeType: 'video/VP8' }];
  await it.join();
  await it.says(SESSION);
  assert.deepEqual([it.state, it.reason, world.peers.length], ['ended', 'no_h264', 0]);
  assert.deepEqual([world.socket.said.at(-1), world.socket.closed], ['end', true]);
});

scene('a browser without H.264 waits for a camera that has not shown itself', async (it, world) => {
  world.codecs = [{ mimeType: 'video/VP8' }];
  await it.join();
  await it.says({ ...SESSION, source: { type: 'source', state: 'starting' } });
  assert.deepEqual([it.state, world.peers.length], ['negotiating', 0]);
  world.playsFmp4();
  await it.says({ type: 'source', state: 'live', legs: ['rtp', 'fmp4'] });
  assert.deepEqual([it.state, world.peers.length, world.peer.channels.length], ['negotiating', 1, 1]);
});

scene('whoever waits for a camera without a session keeps the place, and the words', async (it, world) => {
  world.codecs = [{ mimeType: 'video/VP8' }];
  const source = { type: 'source', state: 'lost', code: 'source_unreachable', message: 'Nothing answers.' };
  await it.join();
  const told = [];
  it.viewer.face.changed = ({ state, reason }) => told.push([state, reason]);
  for (const session of ['s1', 's2', 's3']) {
    await it.says({ ...SESSION, session, source });
    await it.says({ type: 'end', session, reason: 'offer_timeout' });
    assert.equal(world.socket.said.at(-1), 'join');
  }
  assert.deepEqual(told.filter(([state, reason]) => state !== 'negotiating' || reason), []);
  assert.equal(world.sockets.length, 1);
});

scene('a place that the server forgot is asked for anew, also by who has nothing to offer yet', async (it, world) => {
  world.codecs = [{ mimeType: 'video/VP8' }];
  await it.join();
  await it.says({ ...SESSION, source: { type: 'source', state: 'starting' } });
  await it.says({ type: 'error', code: 'session_unknown', message: '?', session: 'another' });
  assert.equal(it.state, 'negotiating');
  await it.says({ type: 'error', code: 'session_unknown', message: '?', session: 's1' });
  await world.pass(0);
  assert.deepEqual([it.state, world.socket.said.at(-1)], ['reconnecting', 'join']);
});

scene('a session whose leg the camera gave up is joined anew, over another one', async (it, world) => {
  world.playsFmp4();
  await it.play();
  assert.equal(world.peer.channels, undefined);
  const source = { type: 'source', state: 'live', code: 'b_frames', message: '', legs: ['fmp4'] };
  await it.says(source);
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'format_changed']);
  await world.pass(0);
  await it.says({ ...SESSION, session: 's2', source });
  assert.deepEqual(world.peer.channels.map(({ label, protocol }) => [label, protocol]), [['media', 'porthole.fmp4.v1']]);
});

const LIVE = { type: 'source', state: 'live', code: null, message: '', tracks: [{ kind: 'video', codec: 'H.264' }] };
const UNPLAYABLE = JSON.stringify({ type: 'stream', mime: 'video/mp4; codecs="avc1.f4001f"' });

/** The camera's stream turns out to be one that the browser does not play. */
async function failsToPlay(it, world, session, source) {
  await it.says({ ...SESSION, session, source });
  globalThis.MediaSource.isTypeSupported = (mime) => !mime.includes('f4');
  world.peer.channels[0].onmessage({ data: UNPLAYABLE });
  await world.pass(0);
}

scene('a leg that turns out not to play is left for another, as long as the camera sends the same', async (it, world) => {
  world.playsFmp4();
  await it.join();
  const source = { ...LIVE, legs: ['fmp4', 'rtp'] };
  await failsToPlay(it, world, 's1', source);
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'no_decoder']);
  assert.deepEqual(world.socket.sent.slice(-2).map(({ type, reason }) => [type, reason]), [['end', 'no_decoder'], ['join', undefined]]);
  await it.says({ ...SESSION, session: 's2', source });
  assert.deepEqual([world.peer.channels, world.peer.receivers?.length], [undefined, 2]);
  world.peer.becomes('failed');
  await world.pass(1_000);
  await it.says({ ...SESSION, session: 's3', source: { ...source, tracks: [{ kind: 'video', codec: 'H.265' }] } });
  assert.equal(world.peer.channels.length, 1);
});

scene('when no leg is left it is over, and a new start tries them all again', async (it, world) => {
  world.playsFmp4();
  await it.join();
  const source = { ...LIVE, legs: ['fmp4'] };
  await failsToPlay(it, world, 's1', source);
  assert.deepEqual([it.state, it.reason], ['ended', 'no_decoder']);
  it.viewer.start();
  world.socket.welcomes();
  await it.says({ ...SESSION, session: 's2', source });
  assert.deepEqual([it.state, world.peer.channels.length], ['negotiating', 1]);
});

scene('a browser without WebRTC is told so', async (it) => {
  delete globalThis.RTCPeerConnection;
  it.viewer.start();
  assert.deepEqual([it.state, it.reason], ['ended', 'no_webrtc']);
});

scene('a refusal for good ends it, and only a new start begins again', async (it, world) => {
  await it.join();
  await it.says({ type: 'error', code: 'room_malformed', message: '?' });
  await world.pass(60_000);
  assert.deepEqual([it.state, it.reason, world.sockets.length], ['ended', 'room_malformed', 1]);
  it.viewer.start();
  assert.deepEqual([it.state, world.sockets.length], ['joining', 2]);
});

scene('ICE servers that the browser does not take are said to be no way, and tried again', async (it, world) => {
  await it.join();
  await it.says({ ...SESSION, ice_servers: [{ urls: ['turn:'] }] });
  assert.deepEqual([it.state, it.reason], ['reconnecting', 'offer_failed']);
  await world.pass(0);
  assert.deepEqual(world.socket.said.slice(2), ['end', 'join']);
});

scene('a browser that has no connection left says that none could be set up', async (it, world) => {
  globalThis.RTCPeerConnection = class {
    constructor() {
      throw new DOMException('too many', 'UnknownError');
    }
  };
  await it.join();
  await it.says(SESSION);
  assert.deepEqual([it.state, it.reason, world.socket.said.at(-1)], ['reconnecting', 'offer_failed', 'end']);
});

scene('the offer is made while the server is asked, and thrown away by who leaves before', async (it, world) => {
  it.viewer.start();
  assert.deepEqual([world.peers.length, world.peer.configuration], [1, { bundlePolicy: 'max-bundle' }]);
  it.viewer.stop();
  assert.deepEqual([world.peers.length, world.peer.closed], [1, true]);
});

scene('a browser that cannot offer what it promised leaves no connection and no session behind', async (it, world) => {
  world.refusesCodecs = true;
  await it.join();
  await it.says(SESSION);
  assert.deepEqual([it.state, it.reason, world.peer.closed], ['reconnecting', 'offer_failed', true]);
  assert.deepEqual(world.socket.sent.at(-1), { type: 'end', session: 's1', reason: 'offer_failed' });
});

scene('what the camera said before signalling was lost is not believed afterwards', async (it, world) => {
  await it.play();
  await it.says({ type: 'source', state: 'lost', code: 'source_unreachable' });
  world.socket.breaks();
  assert.equal(it.viewer.view.source.state, 'lost');
  await world.pass(500);
  world.socket.welcomes();
  assert.equal(it.viewer.view.source, null);
  await it.says({ type: 'resumed', session: 's1' });
  await it.says({ type: 'source', state: 'unplayable', code: 'codec_h265', message: 'Set H.264.' });
  assert.deepEqual([it.state, it.viewer.view.source.code], ['playing', 'codec_h265']);
});

scene('a page that may not connect at all says so', async (it) => {
  globalThis.WebSocket = class {
    constructor() {
      throw new DOMException('insecure', 'SecurityError');
    }
  };
  it.viewer.start();
  assert.deepEqual([it.state, it.reason], ['ended', 'server_forbidden']);
});

scene('a server that does not answer is told apart from one that may not want this page', async (it, world) => {
  it.viewer.start();
  world.socket.breaks();
  assert.deepEqual([it.state, it.reason], ['joining', 'server_unreachable']);
  globalThis.location.host = 'another.example';
  await world.pass(400);
  world.socket.breaks();
  assert.equal(it.reason, 'server_elsewhere_unreachable');
});

scene('whoever leaves says so and leaves nothing behind', async (it, world) => {
  await it.play();
  it.viewer.stop();
  it.viewer.stop();
  await world.pass(60_000);
  assert.deepEqual(world.socket.sent.at(-1), { type: 'end', session: 's1', reason: 'left' });
  assert.deepEqual([it.state, world.peer.closed, world.socket.closed, world.sockets.length], ['idle', true, true, 1]);
});

scene('pictures that stop while the connection holds are noticed', async (it, world) => {
  await it.play();
  world.peer.frames = 1;
  await world.pass(1_000);
  world.peer.frames = 30;
  await world.pass(1_000);
  assert.equal(it.viewer.view.stalled, false);
  await world.pass(2_100);
  assert.equal(it.viewer.view.stalled, true);
  world.peer.frames = 60;
  await world.pass(1_000);
  assert.equal(it.viewer.view.stalled, false);
});
