/** Growing, jittered pauses: so that viewers of one server do not come back in one wave. */
export class Backoff {
  #attempts = 0;

  /**
   * @param {number} first milliseconds
   * @param {number} most milliseconds
   * @param {() => number} random from 0 up to, but not including, 1
   */
  constructor(first, most, random = Math.random) {
    this.first = first;
    this.most = most;
    this.random = random;
  }

  /** The next pause in milliseconds: doubled each time, less up to a quarter of itself. */
  next() {
    const pause = Math.min(this.first * 2 ** this.#attempts, this.most);
    if (pause < this.most) this.#attempts += 1;
    return pause * (1 - this.random() / 4);
  }

  reset() {
    this.#attempts = 0;
  }
}
