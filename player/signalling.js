/**
 * The connection to the rendezvous: opened, greeted, kept alive, and opened again when it is lost.
 *
 * The owner says `dial` once and hears of every greeting, message and loss; until it says `hangUp`
 * a lost connection is replaced after a jittered pause.
 */

import { Backoff } from './backoff.js';
import * as wire from './wire.js';

const WELCOME_WITHIN = 10_000; // ms; a phone that wakes up may need several seconds for TLS
const ASK_AFTER = 5_000; // ms of silence (PROTOCOL.md §3)
const GIVE_UP_AFTER = 15_000; // ms of silence
const FIRST_PAUSE = 300; // ms
const LONGEST_PAUSE = 5_000; // ms

/**
 * @typedef {{
 *   welcomed: () => void,
 *   message: (message: wire.ServerMessage) => void,
 *   lost: (wasWelcome: boolean) => void,
 * }} Listener
 */

export class Signalling {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {wire.Welcome | null} */
  #welcome = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #redial;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watch;
  #heard = 0;
  /** The pause that a goaway asked for. @type {number | null} */
  #after = null;
  #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);

  /**
   * @param {string} url ws:// or wss://
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
  }

  /** What the server said to this connection; null as long as there is none to speak on. */
  get welcome() {
    return this.#welcome;
  }

  /** Connects now, unless a connection is there or on its way. */
  dial() {
    if (this.#socket) return;
    clearTimeout(this.#redial);
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onopen = () => socket.send(JSON.stringify(wire.hello()));
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = () => this.#lost();
    this.#watch = setInterval(() => this.#listen(), ASK_AFTER / 2);
    globalThis.addEventListener?.('online', this.#online);
  }

  /** Leaves this connection for a new one after a pause. @param {number} pause milliseconds */
  redial(pause) {
    this.#drop();
    this.#dialIn(pause);
  }

  /** Idempotent; nothing is heard of the connection afterwards. */
  hangUp() {
    clearTimeout(this.#redial);
    globalThis.removeEventListener?.('online', this.#online);
    this.#drop();
  }

  /** Says it if there is somebody to say it to. @param {wire.ClientMessage} message */
  send(message) {
    if (this.#welcome) this.#socket?.send(JSON.stringify(message));
  }

  /** @param {unknown} data */
  #received(data) {
    this.#heard = Date.now();
    const message = wire.parse(data);
    if (message?.type === 'welcome') this.#greeted(message);
    else if (message?.type === 'ping') this.send(wire.pong());
    else if (message?.type === 'goaway') this.#after = message.after * 1000;
    else if (message && message.type !== 'pong') this.listener.message(message);
  }

  /** @param {wire.Welcome} welcome */
  #greeted(welcome) {
    this.#welcome = welcome;
    this.#backoff.reset();
    this.listener.welcomed();
  }

  /** A socket may die without a word, a server may stop to answer: silence tells. */
  #listen() {
    const silence = Date.now() - this.#heard;
    if (silence >= (this.#welcome ? GIVE_UP_AFTER : WELCOME_WITHIN)) this.#lost();
    else if (silence >= ASK_AFTER) this.send(wire.ping());
  }

  #lost() {
    const wasWelcome = this.#welcome !== null;
    this.#drop();
    this.#dialIn(this.#after === null ? this.#backoff.next() : jittered(this.#after));
    this.#after = null;
    this.listener.lost(wasWelcome);
  }

  #drop() {
    clearInterval(this.#watch);
    const socket = this.#socket;
    this.#socket = this.#welcome = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {number} pause milliseconds */
  #dialIn(pause) {
    clearTimeout(this.#redial);
    this.#redial = setTimeout(() => this.dial(), pause);
  }

  /** The network is back: do not sit out the pause, and see whether the old socket outlived it. */
  #online = () => (this.#socket ? this.send(wire.ping()) : this.dial());
}

/** All viewers of a server hear the same goaway. @param {number} pause */
const jittered = (pause) => pause * (1 + Math.random() / 4) + FIRST_PAUSE;
