/** Measures a running session once a second: the figures, and whether pictures still arrive. */

import { FrameWatch } from './watch.js';

const EVERY = 1_000; // ms

/** @typedef {import('./stats.js').Figures} Figures */

export class Meter {
  #watch = new FrameWatch(performance.now());
  #timer;

  /**
   * @param {() => Promise<Figures>} measure
   * @param {(figures: Figures, stalled: boolean) => void} measured
   */
  constructor(measure, measured) {
    this.measure = measure;
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
    const told = await this.measure();
    this.measured(told, this.#watch.stalled(told.frames, performance.now()));
  }
}
