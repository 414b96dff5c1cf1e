/**
 * The connection to the rendezvous: opened, opened again when it is lost, and exchanged for another
 * one when the server says that it will go. It is let go when the other has taken us, not before.
 *
 * The owner says `dial` once and hears of every greeting, message and loss; until it says `hangUp`
 * a lost connection is replaced after a jittered pause.
 */

import { Backoff } from './backoff.js';
import { Line } from './line.js';
import * as wire from './wire.js';

const FIRST_PAUSE = 300; // ms
const LONGEST_PAUSE = 5_000; // ms
/** Answers of a server that takes us, and what one says that does not. */
const TAKEN = new Set(['joined', 'waiting', 'resumed']);
const NOT_TAKEN = new Set(['error', 'goaway']);

/**
 * @typedef {{
 *   welcomed: () => void,
 *   message: (message: wire.ServerMessage) => void,
 *   lost: (wasWelcome: boolean) => void,
 *   sentAway: () => void,
 * }} Listener
 */

export class Signalling {
  /** The one that messages go to. @type {Line | null} */
  #line = null;
  /** One that will take its place. @type {Line | null} */
  #next = null;
  /** The one whose place it took, until its server has taken us. @type {Line | null} */
  #former = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #dialling;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #moving;
  /** The pause that a goaway asked for, in milliseconds. @type {number | null} */
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
    return this.#line?.welcome ?? null;
  }

  /** Connects now, unless a connection is there or on its way. */
  dial() {
    if (this.#line) return;
    clearTimeout(this.#dialling);
    this.#line = this.#open();
    globalThis.addEventListener?.('online', this.#online);
  }

  /** Leaves this connection for a new one after a pause. @param {number} pause milliseconds */
  redial(pause) {
    this.#drop();
    this.#dialIn(pause);
  }

  /** Idempotent; nothing is heard of the connection afterwards. */
  hangUp() {
    clearTimeout(this.#dialling);
    globalThis.removeEventListener?.('online', this.#online);
    this.#drop();
  }

  /** Says it if there is somebody to say it to. @param {wire.ClientMessage} message */
  send(message) {
    this.#line?.send(message);
  }

  /** Opens another connection; this one is let go when we are taken there. */
  move() {
    clearTimeout(this.#moving);
    // All viewers of a server hear the same goaway, and this server can still be used so long.
    this.#moveIn(Math.random() * (this.#after ?? 0));
  }

  /** What is under way on this connection would be lost with it: it is kept while it lasts. */
  stay() {
    clearTimeout(this.#moving);
    this.#next?.close();
    this.#next = null;
  }

  #open() {
    return new Line(this.url, {
      welcomed: (line) => this.#greeted(line),
      message: (line, message) => this.#told(line, message),
      lost: (line, wasWelcome) => this.#gone(line, wasWelcome),
    });
  }

  /** @param {Line} line */
  #greeted(line) {
    if (line === this.#next) {
      [this.#former, this.#line, this.#next] = [this.#line, line, null];
      this.#after = null;
    } else this.#backoff.reset();
    this.listener.welcomed();
  }

  /** @param {Line} line @param {wire.ServerMessage} message */
  #told(line, message) {
    if (line === this.#next) return; // a server that takes nobody says so, and closes
    if (this.#former && line === this.#line && NOT_TAKEN.has(message.type)) return this.#goBack();
    if (this.#former && TAKEN.has(message.type)) this.#decide(line);
    if (message.type !== 'goaway') return this.listener.message(message);
    if (line !== this.#line) return;
    this.#after = message.after * 1000;
    this.listener.sentAway();
  }

  /** @param {Line} line who was the first to take us: the camera may have come to the former */
  #decide(line) {
    if (line === this.#former) return this.#goBack();
    this.#former?.close();
    this.#former = null;
    this.#backoff.reset();
  }

  /** The next server did not take us; this one still has us, and another time it may. */
  #goBack() {
    this.#line?.close();
    [this.#line, this.#former] = [this.#former, null];
    this.#moveLater();
  }

  /** @param {Line} line @param {boolean} wasWelcome */
  #gone(line, wasWelcome) {
    if (line === this.#former) this.#former = null;
    else if (line === this.#next) this.#moveLater();
    else if (this.#former) this.#goBack();
    else this.#lost(wasWelcome);
  }

  /** @param {boolean} wasWelcome */
  #lost(wasWelcome) {
    const next = this.#next;
    this.#next = null;
    this.#drop();
    if (next) this.#line = next; // it is on its way already
    else this.#dialIn(this.#after === null ? this.#backoff.next() : jittered(this.#after));
    this.#after = null;
    this.listener.lost(wasWelcome);
  }

  #moveLater() {
    this.#next = null;
    this.#moveIn(this.#backoff.next());
  }

  /** @param {number} pause milliseconds */
  #moveIn(pause) {
    this.#moving = setTimeout(() => (this.#next = this.#open()), pause);
  }

  #drop() {
    this.stay();
    this.#former?.close();
    this.#line?.close();
    this.#former = this.#line = null;
  }

  /** @param {number} pause milliseconds */
  #dialIn(pause) {
    clearTimeout(this.#dialling);
    this.#dialling = setTimeout(() => this.dial(), pause);
  }

  /** The network is back: do not sit out the pause, and see whether the old socket outlived it. */
  #online = () => (this.#line ? this.send(wire.ping()) : this.dial());
}

/** All viewers of a server hear the same goaway. @param {number} pause */
const jittered = (pause) => pause * (1 + Math.random() / 4) + FIRST_PAUSE;
