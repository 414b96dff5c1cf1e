/** When to ask again: at once after the first loss, then more and more slowly. */

import { Backoff } from './backoff.js';

const FIRST_PAUSE = 1_000; // ms; a refused join is asked again, gently
const LONGEST_PAUSE = 4_000; // ms; a network may come back without a sign

export class Retries {
  #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
  #atOnce = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #planned = null;

  /** Does it when the pause is over, in place of what was planned before. @param {() => void} run */
  plan(run) {
    const pause = this.#atOnce ? 0 : this.#backoff.next();
    this.#atOnce = false;
    this.cancel();
    this.#planned = () => (this.cancel(), run());
    this.#timer = setTimeout(this.#planned, pause);
  }

  /** Does what was planned, if anything was, without waiting any longer. */
  hurry() {
    this.#planned?.();
  }

  /** Forgets what was planned. Idempotent. */
  cancel() {
    clearTimeout(this.#timer);
    this.#planned = null;
  }

  /**
   * The pause after a refusal, in milliseconds: up to half as much again as the server asked for,
   * which it asked of all its viewers.
   *
   * @param {number} atLeast
   */
  pause(atLeast) {
    return Math.max(atLeast * (1 + Math.random() / 2), this.#backoff.next());
  }

  /** It worked: the next loss is a first one. */
  reset() {
    this.#atOnce = true;
    this.#backoff.reset();
  }
}
