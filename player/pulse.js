/**
 * Whether the path of a session lives, by the packets that arrive on it.
 *
 * Browsers take 5 to 10 s to call a connection disconnected, and half a minute to give it up. A
 * camera whose pictures flow is never silent for as long as two seconds; one whose pictures have
 * stopped, which is no matter of the path, still sends a report every second or so.
 */

const USUAL = 2; // times the last pause between packets: no cause for doubt
const MUTE_AFTER = 500; // ms without any packet, for whom nothing else answers either
const DOUBTFUL_AFTER = { flowing: 750, sparse: 2_500 }; // ms, while pictures come, or only reports
const SILENT_AFTER = { flowing: 2_000, sparse: 5_000 }; // ms
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
  #pause = 0; // ms between the last two packets
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
    if (signs !== this.#signs) this.#hear(now);
    if (frames !== this.#frames) this.#frameAt = now;
    this.#signs = signs;
    this.#frames = frames;
    const feeling = this.#judge(now);
    if (feeling === 'silent' && this.feeling !== 'silent') this.#framesThen = frames;
    if (this.feeling !== 'silent' || frames !== this.#framesThen) this.feeling = feeling;
    return this.feeling;
  }

  /** @param {number} now */
  #hear(now) {
    this.#pause = this.silence(now);
    this.#heardAt = now;
  }

  /** Something else suggests that the network is another one. @param {number} now */
  hint(now) {
    this.#hintedAt = now;
  }

  /** Milliseconds since the last sign of life. @param {number} now */
  silence(now) {
    return Number.isNaN(this.#heardAt) ? 0 : now - this.#heardAt;
  }

  /** Whether nothing arrives, as far as one can say so soon. @param {number} now */
  mute(now) {
    if (this.feeling !== 'well') return true;
    return this.#rhythm === 'flowing' && this.#isUnusual(now, MUTE_AFTER);
  }

  /** Takes the path for silent, on somebody's word: it is well again with the next picture. */
  giveUp() {
    this.feeling = 'silent';
    this.#framesThen = this.#frames;
  }

  get #rhythm() {
    return this.#heardAt - this.#frameAt < FLOWING ? 'flowing' : 'sparse';
  }

  /** @param {number} now @returns {Feeling} */
  #judge(now) {
    const silence = this.silence(now);
    if (silence >= this.#limit(now)) return 'silent';
    return this.#isUnusual(now, DOUBTFUL_AFTER[this.#rhythm]) ? 'doubtful' : 'well';
  }

  /** Some cameras send a picture a second. @param {number} now @param {number} atLeast milliseconds */
  #isUnusual(now, atLeast) {
    return this.silence(now) >= Math.max(atLeast, USUAL * this.#pause);
  }

  /** @param {number} now */
  #limit(now) {
    const hinted = this.#rhythm === 'flowing' && now - this.#hintedAt < HINT_LASTS;
    return hinted ? HINTED_AFTER : SILENT_AFTER[this.#rhythm];
  }
}
