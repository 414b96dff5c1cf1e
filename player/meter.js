/** Measures a running session once a second: the figures, and whether pictures still arrive. */

import { figures } from './stats.js';
import { FrameWatch } from './watch.js';

const EVERY = 1_000; // ms

/** @typedef {import('./stats.js').Figures} Figures */
/** @typedef {import('./stats.js').Report} Report */

export class Meter {
  /** @type {Report | null} */
  #report = null;
  #watch = new FrameWatch(performance.now());
  #timer;

  /**
   * @param {() => Promise<RTCStatsReport>} report
   * @param {(figures: Figures, stalled: boolean) => void} measured
   */
  constructor(report, measured) {
    this.report = report;
    this.measured = measured;
    this.#timer = setInterval(() => void this.#measure(), EVERY);
    void this.#measure();
  }

  /** Idempotent; nothing is measured afterwards. */
  stop() {
    clearInterval(this.#timer);
    this.measured = () => undefined;
  }

  async #measure() {
    const report = /** @type {Report} */ (/** @type {unknown} */ (await this.report()));
    const told = figures(this.#report, report);
    this.#report = report;
    this.measured(told, this.#watch.stalled(told.frames, performance.now()));
  }
}
