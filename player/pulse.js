/**
 * Whether the path of a session lives, by the packets that arrive on it.
 *
 * Browsers take 5 to 10 s to call a connection disconnected, and half a minute to give it up. A
 * camera whose pictures flow is never silent for as long as two seconds; one whose pictures have
 * stopped, which is no matter of the path, still sends a report every second or so.
 */

const DOUBTFUL_AFTER = 1_200; // ms without any packet
const SILENT_AFTER = 2_000; // ms, while pictures flow
const SPARSE_AFTER = 5_000; // ms, while reports are all there is
const HINTED_AFTER = 700; // ms, when something else suggests that the network is another one
const HINT_LASTS = 5_000; // ms
const FLOWING = 1_000; // ms before the last packet in which there was a picture

/** @typedef {'well' | 'doubtful' | 'silent'} Feeling */

export class Pulse {
  /** @type {Feeling} */
  feeling = 'well';
  #signs = 0;
  #frames = 0;
  #framesThen = 0;
  #heardAt = NaN; // ms; not a number until anything is counted: not every browser counts
  #frameAt = -Infinity; // ms
  #hintedAt = -Infinity; // ms

  /**
   * @param {number} signs of life so far, whatever they are
   * @param {number} frames of the picture so far
   * @param {number} now milliseconds
   * @returns {Feeling} what is silent is well again with the next picture, not with any packet
   */
  feel(signs, frames, now) {
    if (signs !== this.#signs) this.#heardAt = now;
    if (frames !== this.#frames) this.#frameAt = now;
    this.#signs = signs;
    this.#frames = frames;
    const feeling = this.#judge(now);
    if (feeling === 'silent' && this.feeling !== 'silent') this.#framesThen = frames;
    if (this.feeling !== 'silent' || frames !== this.#framesThen) this.feeling = feeling;
    return this.feeling;
  }

  /** Something else suggests that the network is another one. @param {number} now */
  hint(now) {
    this.#hintedAt = now;
  }

  /** Milliseconds since the last sign of life. @param {number} now */
  silence(now) {
    return Number.isNaN(this.#heardAt) ? 0 : now - this.#heardAt;
  }

  /** @param {number} now @returns {Feeling} */
  #judge(now) {
    const silence = this.silence(now);
    if (silence >= this.#limit(now)) return 'silent';
    return silence >= DOUBTFUL_AFTER ? 'doubtful' : 'well';
  }

  /** @param {number} now */
  #limit(now) {
    if (this.#heardAt - this.#frameAt >= FLOWING) return SPARSE_AFTER;
    return now - this.#hintedAt < HINT_LASTS ? HINTED_AFTER : SILENT_AFTER;
  }
}
