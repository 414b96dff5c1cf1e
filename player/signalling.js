/**
 * The connection to the rendezvous: opened, opened again when it is lost, and exchanged for another
 * one when the server says that it will go. It is let go when the other has taken us, not before.
 *
 * The owner says `dial` once and hears of every greeting, message and loss; until it says `hangUp`
 * a lost connection is replaced after a jittered pause. `doubt` is for whoever has reason to believe
 * that this one is dead: if it is mute another takes its place as soon as it is greeted.
 */

import { Backoff } from './backoff.js';
import { Dialler } from './dialler.js';
import { Line } from './line.js';
import * as wire from './wire.js';

const FIRST_PAUSE = 300; // ms
const LONGEST_PAUSE = 5_000; // ms, between attempts to move: this server goes
const ANSWER_WITHIN = 500; // ms, of a server that is doubted; then another way to it is tried, too
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
  /** The one that messages go to; it was greeted. @type {Line | null} */
  #line = null;
  /** One that will take its place. @type {Line | null} */
  #next = null;
  /** The one whose place it took, until its server has taken us. @type {Line | null} */
  #former = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #moving;
  /** The pause that a goaway asked for, in milliseconds. @type {number | null} */
  #after = null;
  #doubting = false;
  /** Finds the server, as long as there is no line. */
  #dialler;
  /** Between attempts to move. */
  #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
  /** @type {import('./line.js').Listener} */
  #ofLines = {
    welcomed: (line) => this.#greeted(line),
    message: (line, message) => this.#told(line, message),
    lost: (line) => this.#gone(line),
    heard: (line) => this.#doubting && line === this.#line && this.stay(),
  };

  /**
   * @param {string} url ws:// or wss://
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
    this.#dialler = new Dialler(url, {
      greeted: (line) => this.#found(line),
      message: (message) => this.listener.message(message),
      failed: () => this.listener.lost(false),
    });
  }

  /** What the server said to this connection; null as long as there is none to speak on. */
  get welcome() {
    return this.#line?.welcome ?? null;
  }

  /** Connects now, unless a connection is there or on its way. */
  dial() {
    if (!this.#line) this.#dialler.dial();
  }

  /** Something suggests that the server cannot be reached like that any more: it is asked. */
  doubt() {
    if (!this.#line) return this.#dialler.hurry();
    if (this.#doubting || this.#former) return;
    this.stay();
    this.#doubting = true;
    this.#moveIn(ANSWER_WITHIN);
    this.#line.send(wire.ping());
  }

  /** Leaves this connection for a new one after a pause. @param {number} pause milliseconds */
  redial(pause) {
    this.#drop();
    this.#dialler.dialLater(pause);
  }

  /** Idempotent; nothing is heard of the connection afterwards. */
  hangUp() {
    this.#dialler.stop();
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

  /** @param {Line} line */
  #found(line) {
    line.listener = this.#ofLines;
    this.#line = line;
    this.#backoff.reset();
    this.listener.welcomed();
  }

  /** @param {Line} line that takes the place of another */
  #greeted(line) {
    if (this.#doubting) this.#replace(line);
    else [this.#former, this.#line, this.#next, this.#after] = [this.#line, line, null, null];
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

  /** @param {Line} line */
  #gone(line) {
    if (line === this.#former) this.#former = null;
    else if (line === this.#next) this.#moveLater();
    else if (this.#former) this.#goBack();
    else this.#lost();
  }

  #lost() {
    const [next, after] = [this.#next, this.#after];
    [this.#next, this.#after] = [null, null];
    this.#drop();
    if (next) this.#dialler.adopt(next);
    else if (after === null) this.#dialler.dialSoon();
    else this.#dialler.dialLater(jittered(after));
    this.listener.lost(true);
  }

  #moveLater() {
    this.#next = null;
    this.#moveIn(this.#backoff.next());
  }

  /** @param {number} pause milliseconds */
  #moveIn(pause) {
    this.#moving = setTimeout(() => (this.#next = new Line(this.url, this.#ofLines)), pause);
  }

  #drop() {
    this.stay();
    this.#former?.close();
    this.#line?.close();
    this.#former = this.#line = null;
  }
}

/** All viewers of a server hear the same goaway. @param {number} pause */
const jittered = (pause) => pause * (1 + Math.random() / 4) + FIRST_PAUSE;
