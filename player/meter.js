/** Looks at a running session: whether its path lives, whether pictures arrive, and the figures. */

import { Pulse } from './pulse.js';
import { signsOfLife } from './stats.js';
import { FrameWatch } from './watch.js';

const LOOK_EVERY = 250; // ms
const TELL_EVERY = 1_000; // ms
const KNOCK_AFTER = 1_000; // ms of silence

/** @typedef {import('./stats.js').Figures} Figures */
/** @typedef {import('./stats.js').Report} Report */
/** @typedef {import('./pulse.js').Feeling} Feeling */
/**
 * @typedef {{
 *   measure: (report: Report) => Figures, pictures: (report: Report) => number, knock: () => void,
 * }} Leg `knock`: says something that the camera's end acknowledges, if the leg has a way to.
 */
/**
 * @typedef {{
 *   measured: (figures: Figures, stalled: boolean) => void, felt: (feeling: Feeling) => void,
 * }} Listener `felt`: the path does better or worse than before.
 */

export class Meter {
  #pulse = new Pulse();
  #watch = new FrameWatch(performance.now());
  #told = -Infinity; // ms
  #looking = false;
  #timer;

  /**
   * @param {RTCPeerConnection} connection
   * @param {Leg} leg
   * @param {Listener} listener
   */
  constructor(connection, leg, listener) {
    this.connection = connection;
    this.leg = leg;
    this.listener = listener;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY);
    void this.#look();
  }

  /** Whether nothing arrives, as far as one can say so soon. */
  get mute() {
    return this.#pulse.mute(performance.now());
  }

  /** The network may be another one: the path is not trusted for as long as otherwise. */
  hint() {
    this.#pulse.hint(performance.now());
  }

  /** The path is taken for silent: what is felt next is that pictures return. */
  giveUp() {
    this.#pulse.giveUp();
  }

  /** Idempotent; nothing is measured afterwards. */
  stop() {
    clearInterval(this.#timer);
    this.listener = { measured: () => undefined, felt: () => undefined };
  }

  /** A browser that is slow to report is not asked a second time meanwhile. */
  async #look() {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.#take(/** @type {Report} */ (/** @type {unknown} */ (await this.connection.getStats())));
    } finally {
      this.#looking = false;
    }
  }

  /** @param {Report} report */
  #take(report) {
    const now = performance.now();
    this.#feel(report, now);
    if (now - this.#told < TELL_EVERY) return;
    this.#told = now;
    const told = this.leg.measure(report);
    this.listener.measured(told, this.#watch.stalled(told.frames, now));
  }

  /** @param {Report} report @param {number} now */
  #feel(report, now) {
    const before = this.#pulse.feeling;
    const feeling = this.#pulse.feel(signsOfLife(report), this.leg.pictures(report), now);
    if (this.#pulse.silence(now) >= KNOCK_AFTER) this.leg.knock();
    if (feeling !== before) this.listener.felt(feeling);
  }
}
