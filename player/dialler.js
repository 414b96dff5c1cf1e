/**
 * Finds a server: attempts to connect, one after the other, until it greets us on one of them.
 *
 * Where nobody answers at all they overlap. Only one WebSocket to a server may be connecting at a
 * time (RFC 6455 §4.1), and Chromium delays each by 1 to 5 s when a dozen have failed. An attempt
 * that has sat its delay out has its turn when the one before it is given up, at once: so a packet
 * leaves every two or three seconds, and the first one that gets through finds the server.
 */

import { Backoff } from './backoff.js';
import { Line } from './line.js';
import { Lookout } from './lookout.js';

const FIRST_PAUSE = 300; // ms
const LONGEST_PAUSE = 30_000; // ms; attempts that fail make browsers slow, and the lookout is not
const LONGEST_BLIND_PAUSE = 5_000; // ms, where nothing but attempts can find the server
const LONGEST_DELAY = 5_000; // ms, Chromium's
const BLIND_EVERY = 1_500; // ms, less up to a quarter of it
const BLIND_WITHIN = LONGEST_DELAY + BLIND_EVERY; // ms to open one: the next one's delay is over by then
const STALE_AFTER = 1_500; // ms, of an attempt when the server turns out to be there

/**
 * @typedef {{
 *   greeted: (line: Line) => void,
 *   message: (message: import('./wire.js').ServerMessage) => void,
 *   failed: () => void,
 * }} Listener `greeted`: the line is the listener's own from now on, and nothing else is tried;
 * `message`: why there will be no greeting; `failed`: an attempt was in vain, others follow.
 */

export class Dialler {
  /** Under way, the oldest first. @type {Line[]} */
  #attempts = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Whether a connection is wanted, and no server has asked us to wait before the next one. */
  #eager = false;
  #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
  #lookout;
  /** @type {import('./line.js').Listener} */
  #ofAttempts = {
    opened: (line) => this.#only(line),
    welcomed: (line) => this.#greeted(line),
    message: (_line, message) => this.listener.message(message),
    lost: (line) => this.#lost(line),
  };

  /**
   * @param {string} url ws:// or wss://
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
    this.#lookout = new Lookout(url, () => this.hurry());
  }

  /** Attempts it now, unless an attempt is under way; and goes on. Throws what WebSocket throws. */
  dial() {
    if (this.#attempts.length > 0) return;
    this.#eager = true;
    this.#attempt();
    this.#lookout.start();
  }

  /** Goes on with an attempt that somebody else has begun. @param {Line} line */
  adopt(line) {
    this.stop();
    this.#eager = true;
    line.listener = this.#ofAttempts;
    this.#attempts = [line];
    this.#lookout.start();
  }

  /** Begins after a first pause: the connection was lost. */
  dialSoon() {
    this.stop();
    this.#eager = true;
    this.#dialIn(this.#pause(0));
    this.#lookout.start();
  }

  /** Begins after a pause that nothing shortens. @param {number} pause milliseconds */
  dialLater(pause) {
    this.stop();
    this.#dialIn(pause);
  }

  /** The server is there, or may be: no pause is sat out, and no attempt that began without it. */
  hurry() {
    const [oldest] = this.#attempts;
    if (!this.#eager || oldest?.silence < STALE_AFTER) return;
    oldest?.close();
    this.#attempts.shift();
    this.#attempt();
  }

  /** Idempotent; nothing is heard of attempts afterwards. */
  stop() {
    clearTimeout(this.#timer);
    this.#eager = false;
    this.#lookout.stop();
    for (const line of this.#attempts) line.close();
    this.#attempts = [];
  }

  #attempt() {
    clearTimeout(this.#timer);
    const within = this.#lookout.blind ? BLIND_WITHIN : undefined;
    this.#attempts.push(new Line(this.url, this.#ofAttempts, within));
    this.#wait();
  }

  /** Begins another attempt beside those under way, if nothing else can find the server by then. */
  #wait() {
    const over = () => (this.#lookout.blind ? this.#attempt() : this.#wait());
    this.#timer = setTimeout(over, BLIND_EVERY * (1 - Math.random() / 4));
  }

  /** Somebody is there: others would be one too many for a server that is slow to greet. @param {Line} line */
  #only(line) {
    clearTimeout(this.#timer);
    for (const other of this.#attempts) if (other !== line) other.close();
    this.#attempts = [line];
  }

  /** @param {Line} line */
  #greeted(line) {
    this.#attempts = [];
    this.stop();
    this.#backoff.reset();
    this.listener.greeted(line);
  }

  /** @param {Line} line */
  #lost(line) {
    this.#attempts = this.#attempts.filter((other) => other !== line);
    if (this.#attempts.length === 0) this.#dialIn(this.#pause(line.silence));
    this.listener.failed();
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

  /** @param {number} pause milliseconds */
  #dialIn(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dial(), pause);
  }
}
