/**
 * How soon the picture is back after an outage, in virtual time: the whole player before a network
 * that comes and goes, a server and a camera that behave as the real ones do.
 *
 * Nothing tells the page that the network is back: what browsers do tell only makes it faster. TCP
 * is as systems have it: a SYN goes out at once, and again after 1, 3 and 7 s.
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import { Viewer } from '../../player/viewer.js';
import { World } from './support/world.mjs';

const TRIP = 50; // ms one way
const SYNS = [0, 1_000, 3_000, 7_000]; // ms
const CHECKS = 500; // ms between two ICE checks of a pair
const CAMERA_GIVES_UP = 8_000; // ms of silence

class Absence {
  world = new World();
  /** When the network, or one of its parts, is away. */
  away = { signalling: [Infinity, Infinity], media: [Infinity, Infinity] };
  dead = new Set();
  sessions = 0;
  blackFlashes = 0;
  /** @type {number[]} */
  pictures = [];

  constructor() {
    const { world } = this;
    const [Socket, Peer] = [globalThis.WebSocket, globalThis.RTCPeerConnection];
    const absence = this;
    globalThis.WebSocket = class extends Socket {
      constructor(url) {
        super(url);
        absence.serve(this);
      }
    };
    globalThis.RTCPeerConnection = class extends Peer {
      constructor(configuration) {
        super(configuration);
        absence.carry(this);
      }
    };
    globalThis.fetch = (_url, { signal }) => new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      this.reaches(() => setTimeout(resolve, 4 * TRIP));
    });
    this.viewer = new Viewer('ws://host/ws', { room: 'MyRoom', secret: null }, {
      show: (feed) => (this.feed = feed),
      freeze: () => undefined,
      changed: (view) => view.picture && (this.live ??= world.now),
      measured: () => undefined,
    });
  }

  is(part, at = this.world.now) {
    const [from, to] = this.away[part];
    return at < from || at >= to;
  }

  /** Calls back when TCP has got through, if it ever does. */
  reaches(run) {
    for (const syn of SYNS) setTimeout(() => this.is('signalling') && (run?.(), (run = null)), syn);
  }

  /** @param {any} socket */
  serve(socket) {
    const send = socket.send.bind(socket);
    socket.silent = true;
    this.reaches(() => setTimeout(() => socket.closed || socket.welcomes(), 6 * TRIP));
    socket.send = (text) => {
      send(text);
      if (this.is('signalling')) setTimeout(() => this.answer(socket, JSON.parse(text)), 2 * TRIP);
    };
  }

  answer(socket, { type, session }) {
    if (!this.is('signalling') || socket.closed) return;
    if (type === 'ping') socket.says({ type: 'pong' });
    if (type === 'join') {
      const name = `session-${(this.sessions += 1)}`;
      socket.says({ type: 'joined', room: 'MyRoom', session: name, secret: 's', source: { type: 'source', state: 'live' } });
    }
    if (type === 'offer') setTimeout(() => this.is('signalling') && socket.says({ type: 'answer', session, sdp: 'v=0' }), 2 * TRIP);
  }

  /** @param {any} peer */
  carry(peer) {
    let heard = NaN;
    const beat = setInterval(() => {
      if (peer.closed) return clearInterval(beat);
      if (!peer.remote.length || !this.is('media')) return;
      if (Number.isNaN(heard)) peer.becomes('connected');
      else if (this.world.now - heard > CAMERA_GIVES_UP) return;
      heard = this.world.now;
      peer.packets += 10;
      peer.frames += 3;
      this.shown(peer);
    }, CHECKS / 5);
  }

  /** The screen sees a picture of what it is given. */
  shown(peer) {
    const { tracks } = this.feed.stream;
    if (tracks.some((track) => track === peer.receivers[0].track)) this.viewer.pictured();
  }

  /** Plays, loses the network for so long, and tells how long the picture took after its return. */
  async lasts(parts, milliseconds) {
    this.viewer.start();
    await this.world.pass(10_000);
    assert.ok(this.viewer.view.picture);
    const back = this.world.now + milliseconds;
    for (const part of parts) this.away[part] = [this.world.now, back];
    await this.world.pass(milliseconds);
    this.live = null;
    if (this.viewer.view.picture && this.viewer.view.state === 'playing') return 0;
    while (this.live === null && this.world.now < back + 60_000) await this.world.pass(50);
    return this.world.now - back;
  }
}

/** @param {('signalling' | 'media')[]} parts @param {number} seconds @param {number} phases */
async function worst(parts, seconds, phases) {
  const took = [];
  for (let phase = 0; phase < phases; phase += 1) {
    const absence = new Absence();
    try {
      took.push(await absence.lasts(parts, 1_000 * seconds + 330 * phase));
    } finally {
      absence.viewer.stop();
      absence.world.restore();
    }
  }
  return took.sort((a, b) => a - b)[Math.ceil(0.95 * phases) - 1];
}

for (const [seconds, phases] of [[1, 12], [5, 12], [30, 12], [600, 4]]) {
  test(`the network is gone for ${seconds} s: p95 of the picture’s return is within 5 s`, async () => {
    const took = await worst(['signalling', 'media'], seconds, phases);
    assert.ok(took <= 5_000, `${took} ms`);
  });
}

test('media alone is gone for 30 s, as behind a firewall that wakes up: within 5 s', async () => {
  const took = await worst(['media'], 30, 12);
  assert.ok(took <= 5_000, `${took} ms`);
});

test('signalling alone is gone for ten minutes: nobody notices', async () => {
  assert.equal(await worst(['signalling'], 600, 1), 0);
});
