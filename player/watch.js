/** Whether pictures really arrive: a connection may be well and carry none. */

const STALLED_AFTER = 2_000; // ms without a new picture

/**
 * Counts decoded frames, not shown ones: a hidden tab shows none, and its camera is well.
 */
export class FrameWatch {
  #frames = 0;
  #since;

  /** @param {number} now milliseconds */
  constructor(now) {
    this.#since = now;
  }

  /**
   * @param {number} frames decoded so far
   * @param {number} now milliseconds
   * @returns {boolean} whether the picture has stalled
   */
  stalled(frames, now) {
    if (frames !== this.#frames) {
      this.#frames = frames;
      this.#since = now;
    }
    return now - this.#since >= STALLED_AFTER;
  }
}
