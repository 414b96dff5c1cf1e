/**
 * A session that has fallen silent: off the stage, and watched in case that its pictures return.
 *
 * The screen is its own for so long. What the session after it has to show waits for its end.
 */

const WATCHED_FOR = 15_000; // ms; the camera gives a viewer up sooner, unless it cannot say so

/** @typedef {import('./screen.js').Feed} Feed */
/** @typedef {import('./session.js').MediaSession} MediaSession */

export class Aside {
  /** @type {MediaSession | null} */
  session = null;
  /** @type {Feed | null} */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(feed: Feed) => void} show */
  constructor(show) {
    this.show = show;
  }

  /** @param {MediaSession | null} session */
  put(session) {
    this.session = session;
    this.#timer = setTimeout(() => this.letGo(), WATCHED_FOR);
  }

  /** Shows what another session has, as soon as the screen is free. @param {Feed} feed */
  present(feed) {
    if (this.session) this.#next = feed;
    else this.show(feed);
  }

  /** The other session is over, or never came to it. */
  dismiss() {
    this.#next = null;
  }

  /** Back to the stage, whatever waits for it. @returns {MediaSession} */
  takeBack() {
    const session = /** @type {MediaSession} */ (this.session);
    clearTimeout(this.#timer);
    this.session = this.#next = null;
    this.show(session.feed);
    return session;
  }

  /** Nothing comes from there any more. Idempotent. */
  letGo() {
    clearTimeout(this.#timer);
    const [session, next] = [this.session, this.#next];
    this.session = this.#next = null;
    session?.close();
    if (next) this.show(next);
  }
}
