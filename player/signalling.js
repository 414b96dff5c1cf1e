/**
 * The connection to the rendezvous: opened, opened again when it is lost, and exchanged for another
 * one when the server says that it will go. It is let go when the other has taken us, not before.
 *
 * The owner says `dial` once and hears of every greeting, message and loss; until it says `hangUp`
 * a lost connection is replaced after a jittered pause. `doubt` is for whoever has reason to believe
 * that this one is dead: if it is mute another takes its place as soon as it is greeted.
 */

import { Backoff } from './backoff.js';
import { Line } from './line.js';
import { Lookout } from './lookout.js';
import * as wire from './wire.js';

const FIRST_PAUSE = 300; // ms
const LONGEST_PAUSE = 30_000; // ms; attempts that fail make browsers slow, and the lookout is not
const LONGEST_BLIND_PAUSE = 5_000; // ms, where nothing but attempts can find the server
const BLIND_WITHIN = 5_000; // ms to open one there: each attempt begins with a packet that may get through
const ANSWER_WITHIN = 500; // ms, of a server that is doubted; then another way to it is tried, too
const STALE_AFTER = 1_500; // ms, of an attempt when the server turns out to be there
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
  #doubting = false;
  /** Whether a connection is wanted, and no server has asked us to wait before the next one. */
  #eager = false;
  #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
  #lookout;

  /**
   * @param {string} url ws:// or wss://
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
    this.#lookout = new Lookout(url, () => this.#isBack());
  }

  /** What the server said to this connection; null as long as there is none to speak on. */
  get welcome() {
    return this.#line?.welcome ?? null;
  }

  /** Connects now, unless a connection is there or on its way. */
  dial() {
    if (this.#line) return;
    clearTimeout(this.#dialling);
    this.#eager = true;
    this.#line = this.#open();
    this.#lookout.start();
  }

  /** Something suggests that the server cannot be reached like that any more: it is asked. */
  doubt() {
    if (!this.#line?.welcome) return this.#isBack();
    if (this.#doubting || this.#former) return;
    this.stay();
    this.#doubting = true;
    this.#moveIn(ANSWER_WITHIN);
    this.#line.send(wire.ping());
  }

  /** Leaves this connection for a new one after a pause. @param {number} pause milliseconds */
  redial(pause) {
    this.#drop();
    this.#eager = false;
    this.#dialIn(pause);
  }

  /** Idempotent; nothing is heard of the connection afterwards. */
  hangUp() {
    clearTimeout(this.#dialling);
    this.#eager = false;
    this.#lookout.stop();
    this.#drop();
  }

  /** Says it if there is somebody to say it to; whether there was. @param {wire.ClientMessage} message */
  send(message) {
    return this.#line?.send(message) ?? false;
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
    this.#doubting = false;
  }

  #open() {
    /** @type {import('./line.js').Listener} */
    const listener = {
      welcomed: (line) => this.#greeted(line),
      message: (line, message) => this.#told(line, message),
      lost: (line, wasWelcome) => this.#gone(line, wasWelcome),
      heard: (line) => this.#doubting && line === this.#line && this.stay(),
    };
    return new Line(this.url, listener, this.#lookout.blind ? BLIND_WITHIN : undefined);
  }

  /** @param {Line} line */
  #greeted(line) {
    this.#lookout.stop();
    if (line !== this.#next) this.#backoff.reset();
    else if (this.#doubting) this.#replace(line);
    else [this.#former, this.#line, this.#next] = [this.#line, line, null];
    if (this.#former) this.#after = null;
    this.listener.welcomed();
  }

  /** The one in use has not said a word since it was asked, and this one was greeted. @param {Line} line */
  #replace(line) {
    this.#line?.close();
    [this.#line, this.#next, this.#doubting, this.#after] = [line, null, false, null];
    this.listener.lost(true);
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
    const [next, lasted] = [this.#next, this.#line?.silence ?? 0];
    this.#next = null;
    this.#drop();
    if (next) this.#line = next; // it is on its way already
    else if (this.#after === null) this.#dialIn(this.#pause(lasted));
    else this.redial(jittered(this.#after));
    this.#after = null;
    if (this.#eager) this.#lookout.start();
    this.listener.lost(wasWelcome);
  }

  /**
   * Milliseconds to the next attempt, if the lookout does not find the server before.
   *
   * @param {number} lasted milliseconds: an attempt that nobody answered was a pause for the server
   */
  #pause(lasted) {
    const { blind } = this.#lookout;
    this.#backoff.most = blind ? LONGEST_BLIND_PAUSE : LONGEST_PAUSE;
    return Math.max(FIRST_PAUSE, this.#backoff.next() - (blind ? lasted : 0));
  }

  /** The server is there, or may be: no pause is sat out, and no attempt that began without it. */
  #isBack() {
    const fresh = this.#line && (this.#line.welcome || this.#line.silence < STALE_AFTER);
    if (fresh || !this.#eager) return;
    this.#line?.close();
    this.#line = null;
    this.dial();
  }

  #moveLater() {
    this.#next = null;
    this.#moveIn(Math.min(this.#backoff.next(), LONGEST_BLIND_PAUSE));
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
}

/** All viewers of a server hear the same goaway. @param {number} pause */
const jittered = (pause) => pause * (1 + Math.random() / 4) + FIRST_PAUSE;
