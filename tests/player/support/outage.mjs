/**
 * The whole player in virtual time, before a network that comes and goes, a server and a camera that
 * behave as the real ones do (PROTOCOL.md §3, §5 and §7).
 *
 * Nothing tells the page that the network is back. TCP is as systems have it: a SYN goes out at
 * once, and again after 1, 3 and 7 s; what was sent into nothing goes out again after growing
 * pauses, in its order. Chromium is as it is: a request that is given up leaves its connection, which
 * goes on to be tried, and there are six of them at the most; WebSockets are delayed when many have
 * failed, and connect one after the other.
 */

import { Viewer } from '../../../player/viewer.js';
import { World } from './world.mjs';

const TRIP = 50; // ms one way
const SYNS = [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000]; // ms
const SYNS_END = 127_000; // ms
const MOST_CONNECTIONS = 6; // to a server, for requests
const RESENT = [0, 300, 900, 2_100, 4_500, 9_300, 18_900]; // ms
const BEAT = 100; // ms between two pictures of a path, and between two checks
const SERVER_GIVES_UP = 15_000; // ms of silence
const CAMERA = { givesUp: 8_000, replaced: 5_000, replacedSilent: 1_500, claims: 2_500 }; // ms
const GAP = 400; // ms without a picture: an interruption

/** @typedef {'viewer' | 'camera' | 'media'} Way from the viewer to the server, from the camera to it, between them */

export class Outage {
  world = new World();
  /** When each way is away, from and to. */
  away = { viewer: [Infinity, Infinity], camera: [Infinity, Infinity], media: [Infinity, Infinity] };
  /** At the server: by their names. */
  sessions = new Map();
  /** Viewers that wait there for the camera. */
  waiting = new Set();
  cameraLine = { up: 0, down: 0 };
  shown = [];
  #count = 0;
  #requests = new Set();
  #connecting = 0;
  #failed = 0;
  /** WebSockets whose delay is over: the first one connects, and has the others wait. */
  #queue = [];

  #random = Math.random;

  constructor(seed = 1) {
    let state = seed;
    Math.random = () => (state = (48_271 * state) % 0x7fffffff) / 0x7fffffff; // the same each time
    const [Socket, Peer] = [globalThis.WebSocket, globalThis.RTCPeerConnection];
    const outage = this;
    globalThis.WebSocket = class extends Socket {
      constructor(url) {
        super(url);
        outage.#serve(this);
      }
    };
    globalThis.RTCPeerConnection = class extends Peer {
      constructor(configuration) {
        super(configuration);
        outage.#carry(this);
      }
    };
    globalThis.fetch = (_url, { signal }) => new Promise((resolve, reject) => {
      const request = { resolve, reject };
      this.#requests.add(request);
      signal.addEventListener('abort', () => (this.#requests.delete(request), reject(signal.reason)));
      if (this.#connecting < MOST_CONNECTIONS) this.#connect();
    });
    this.viewer = new Viewer('ws://host/ws', { room: 'MyRoom', secret: null }, {
      show: (feed) => (this.feed = feed),
      freeze: () => undefined,
      changed: () => undefined,
      measured: () => undefined,
    });
  }

  /** Plays, loses those ways for so long, and goes on for half a minute. @param {Way[]} ways */
  async lasts(ways, milliseconds) {
    this.viewer.start();
    await this.world.pass(10_000);
    const from = this.world.now;
    for (const way of ways) this.away[way] = [from, from + milliseconds];
    if (milliseconds > SERVER_GIVES_UP && ways.includes('camera')) this.#losesCamera(from, from + milliseconds);
    await this.world.pass(milliseconds);
    await this.#settles(from + milliseconds);
  }

  /** Plays, and sleeps for so long: nothing of the page runs, and nobody out there waits for it. */
  async sleeps(milliseconds) {
    this.viewer.start();
    await this.world.pass(10_000);
    for (const socket of this.world.sockets) socket.forgotten = true;
    for (const peer of this.world.peers) peer.gone = true;
    for (const session of this.sessions.values()) session.socket = null;
    this.world.now += milliseconds;
    await this.#settles(this.world.now);
  }

  async #settles(back) {
    await this.world.pass(30_000);
    const pictures = [...this.shown.filter((at) => at >= back), this.world.now];
    /** Milliseconds to the first picture. */
    this.took = pictures[0] - back;
    /** How often they went again. */
    this.setbacks = pictures.filter((at, n) => at - pictures[n - 1] > GAP).length;
  }

  /** Leaves, and gives the globals back. */
  end() {
    this.viewer.stop();
    this.world.restore();
    Math.random = this.#random;
  }

  // ── TCP ────────────────────────────────────────────────────────────────────────────────────

  #is(way) {
    const [from, to] = this.away[way];
    return this.world.now < from || this.world.now >= to;
  }

  /** Delivers over the way, after what was sent before in this direction of the line. */
  #send(way, line, direction, deliver) {
    const began = this.world.now;
    let attempt = 0;
    const go = () => {
      if (this.#is(way)) {
        line[direction] = Math.max(this.world.now + TRIP, line[direction]);
        setTimeout(deliver, line[direction] - this.world.now);
      } else if ((attempt += 1) < RESENT.length) setTimeout(go, began + RESENT[attempt] - this.world.now);
    };
    go();
  }

  /** Calls back when a connection is made, if it ever is, or in vain in the end. */
  #reaches(run, fail = () => undefined) {
    for (const syn of SYNS) setTimeout(() => this.#is('viewer') && (run?.(), (run = null)), syn);
    setTimeout(() => run && fail(), SYNS_END);
  }

  /** For requests, whichever wait then; one of them is told when it was in vain. */
  #connect() {
    this.#connecting += 1;
    this.#reaches(() => this.#answers(), () => {
      this.#connecting -= 1;
      const [request] = this.#requests;
      this.#requests.delete(request);
      request?.reject(new TypeError('ERR_CONNECTION_TIMED_OUT'));
      if (this.#requests.size > 0) this.#connect();
    });
  }

  #answers() {
    this.#connecting -= 1;
    for (const { resolve } of this.#requests) setTimeout(resolve, 4 * TRIP);
    this.#requests.clear();
  }

  /** Its delay is over: it connects, when those before it have or were given up. @param {any} socket */
  #connects(socket) {
    if (socket.closed) return;
    this.#queue.push(socket);
    if (this.#queue.length === 1) this.#dials(socket);
  }

  /** @param {any} socket */
  #dials(socket) {
    this.#reaches(() => setTimeout(() => socket.closed || this.#opens(socket), 4 * TRIP));
  }

  /** @param {any} socket */
  #opens(socket) {
    this.#leaves(socket);
    this.#failed = 0;
    socket.opens();
    setTimeout(() => socket.closed || socket.welcomes(), 2 * TRIP);
  }

  /** @param {any} socket */
  #leaves(socket) {
    const [first] = this.#queue;
    this.#queue = this.#queue.filter((other) => other !== socket);
    if (first === socket && this.#queue.length > 0) this.#dials(this.#queue[0]);
  }

  /** Chromium's WebSocketPerProcessThrottler, for one at a time that never succeeded in between. */
  get #delay() {
    return (1_000 + 4_000 * Math.random()) * 2 ** (Math.min(1 + this.#failed, 16) - 16);
  }

  // ── the server ─────────────────────────────────────────────────────────────────────────────

  /** @param {any} socket */
  #serve(socket) {
    const [send, says] = [socket.send.bind(socket), socket.says.bind(socket)];
    const line = { up: 0, down: 0 };
    socket.silent = true;
    socket.tell = (message) =>
      this.#send('viewer', line, 'down', () => socket.closed || socket.forgotten || says(message));
    setTimeout(() => this.#connects(socket), this.#delay);
    this.#failed += 1;
    const close = socket.close.bind(socket);
    socket.close = () => (close(), this.#leaves(socket));
    socket.send = (text) => {
      send(text);
      this.#send('viewer', line, 'up', () => socket.forgotten || this.#answer(socket, JSON.parse(text)));
    };
  }

  /** @param {any} socket */
  #answer(socket, message) {
    const session = this.sessions.get(message.session);
    if (message.type === 'ping') socket.tell({ type: 'pong' });
    else if (message.type === 'join') this.#join(socket);
    else if (message.type === 'end') this.#end(message.session, message.reason);
    else if (message.type === 'candidate') return;
    else if (!session) socket.tell({ type: 'error', code: 'session_unknown', message: '', session: message.session });
    else if (message.type === 'resume') this.#resume(socket, session);
    else if (message.type === 'offer') this.#offer(session);
  }

  #join(socket) {
    this.#end(socket.session, 'replaced');
    if (this.cameraIsGone) return this.waiting.add(socket), socket.tell({ type: 'waiting', room: 'MyRoom' });
    const id = (socket.session = `session-${(this.#count += 1)}`);
    this.sessions.set(id, { id, socket });
    const source = { type: 'source', state: 'live', legs: ['rtp'], tracks: [] };
    socket.tell({ type: 'joined', room: 'MyRoom', session: id, secret: 's', source });
  }

  #resume(socket, session) {
    if (session.socket && session.socket !== socket) session.socket.forgotten = true; // superseded
    session.socket = socket;
    socket.session = session.id;
    socket.tell({ type: 'resumed', session: session.id });
  }

  #offer(session) {
    // The player offers with the last connection that it made.
    session.peer = this.world.peers.findLast((peer) => !peer.closed && peer.localDescription);
    this.#send('camera', this.cameraLine, 'down', () => this.#admits(session));
  }

  #admits(session) {
    session.peer.answers = true;
    this.#send('camera', this.cameraLine, 'up', () => {
      session.socket?.tell({ type: 'answer', session: session.id, sdp: 'v=0' });
    });
  }

  #end(id, reason) {
    const { peer } = this.sessions.get(id) ?? {};
    this.sessions.delete(id);
    if (!peer) return;
    this.#send('camera', this.cameraLine, 'down', () => {
      if (reason === 'replaced') peer.replacedAt ??= this.world.now;
      else this.#hangsUp(peer);
    });
  }

  /** The camera's line is dead for the server after some time, and it claims anew on its return. */
  #losesCamera(from, back) {
    setTimeout(() => {
      this.cameraIsGone = true;
      for (const { id, socket, peer } of this.sessions.values()) {
        if (peer?.answers) continue;
        this.sessions.delete(id);
        this.waiting.add(socket);
        socket?.tell({ type: 'waiting', room: 'MyRoom' });
      }
    }, from + SERVER_GIVES_UP - this.world.now);
    setTimeout(() => {
      this.cameraIsGone = false;
      this.cameraLine = { up: 0, down: 0 };
      for (const socket of this.waiting) this.#join(socket);
      this.waiting.clear();
    }, back + CAMERA.claims - this.world.now);
  }

  // ── the camera ─────────────────────────────────────────────────────────────────────────────

  /** @param {any} peer */
  #carry(peer) {
    const beat = setInterval(() => {
      if (peer.closed || peer.gone) return clearInterval(beat);
      if (!peer.answers || !peer.remote.length) return;
      if (this.#isOver(peer)) this.#hangsUp(peer);
      else if (this.#is('media')) this.#flows(peer);
    }, BEAT);
  }

  #flows(peer) {
    peer.startedAt ??= this.world.now;
    if (this.world.now - peer.startedAt < 4 * TRIP) return; // ICE and DTLS
    if (!peer.heardAt) peer.becomes('connected');
    peer.heardAt = this.world.now;
    peer.packets += 10;
    peer.frames += 3;
    const { tracks } = this.feed.stream;
    if (!tracks.some((track) => track === peer.receivers[0].track)) return;
    this.shown.push(this.world.now);
    this.viewer.pictured();
  }

  #isOver({ heardAt, replacedAt }) {
    const silence = this.world.now - heardAt; // not a number before it was connected
    if (silence > CAMERA.givesUp) return true;
    const replaced = this.world.now - replacedAt;
    return replaced > CAMERA.replaced || Math.min(replaced, silence) > CAMERA.replacedSilent;
  }

  #hangsUp(peer) {
    peer.gone = true;
    if (peer.closed || !this.#is('media')) return;
    const { transport } = peer.receivers[0];
    transport.state = 'closed';
    transport.dispatchEvent(new Event('statechange'));
  }
}
