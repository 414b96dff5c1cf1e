/**
 * Stays behind a live stream at a steady distance: when to play faster, when to jump.
 *
 * The distance is what the buffer holds ahead of the picture. With sound the browser cannot do with
 * less than about 200 ms: its audio output takes that much at once. A buffer that runs dry makes
 * the distance grow; calm lets it shrink again.
 */

const WITH_SOUND = 0.2; // s
const WITHOUT_SOUND = 0.05; // s: more than a frame, so that the next one is always there
const LONGEST = 1.2; // s
const STEP = 0.1; // s that the distance grows when the buffer ran dry
const CALM_FOR = 30; // s without that, until the distance shrinks by as much
const JUMP_BEYOND = 0.8; // s more than the distance; playing faster would take too long
const FASTEST = { beyond: 0.4, rate: 1.5 };
const SLOWER = { below: 0.1, until: 0.02, rate: 0.95 }; // the distance has grown
const FASTER = { beyond: 0.05, until: 0.01, rate: 1.05 }; // 5 % are not heard

/**
 * @typedef {{ now: number, position: number, start: number, end: number }} Playhead Seconds;
 * `start` and `end` of the newest stretch of media without a gap.
 */
/** @typedef {{ seekTo: number } | { rate: number }} Step */

export class Pursuit {
  #distance = WITH_SOUND;
  #extra = 0; // s
  #calmSince = 0; // s
  #rate = 1;
  /** A jump takes its time; what came meanwhile is made up for at once: it was heard anyway. */
  #hurries = false;
  dried = 0;

  /** @param {boolean} hasSound */
  has(hasSound) {
    this.#distance = hasSound ? WITH_SOUND : WITHOUT_SOUND;
  }

  /** The distance that is kept, in seconds. */
  get target() {
    return this.#distance + this.#extra;
  }

  /** What to do now. @param {Playhead} playhead @returns {Step} */
  step(playhead) {
    this.#calm(playhead.now);
    const { position, start, end } = playhead;
    const excess = end - position - this.target;
    if (position < start || excess > JUMP_BEYOND) return this.jump(playhead);
    this.#hurries &&= excess > FASTER.until;
    this.#rate = this.#hurries ? FASTEST.rate : rateFor(excess, this.#rate);
    return { rate: this.#rate };
  }

  /** To where it should be, whatever the distance is. @param {Playhead} playhead @returns {{ seekTo: number }} */
  jump({ start, end }) {
    this.#rate = 1;
    this.#hurries = true;
    return { seekTo: Math.max(start, end - this.target) };
  }

  /** The buffer ran dry while playing. @param {number} now seconds */
  ranDry(now) {
    this.dried += 1;
    this.#calmSince = now;
    this.#extra = Math.min(this.#extra + STEP, LONGEST);
  }

  /** @param {number} now */
  #calm(now) {
    if (this.#extra === 0 || now - this.#calmSince < CALM_FOR) return;
    this.#extra = Math.max(0, this.#extra - STEP);
    this.#calmSince = now;
  }
}

/** @param {number} excess seconds @param {number} rate until now */
function rateFor(excess, rate) {
  if (excess > FASTEST.beyond) return FASTEST.rate;
  if (excess > (rate > 1 ? FASTER.until : FASTER.beyond)) return FASTER.rate;
  return -excess > (rate < 1 ? SLOWER.until : SLOWER.below) ? SLOWER.rate : 1;
}
