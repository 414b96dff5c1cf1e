/**
 * A session whose place another one is to take: off the stage while it is silent, and back on it
 * while its pictures arrive. It goes when the other has its own, not before.
 *
 * The screen is its own for so long. What the session after it has to show waits for its end.
 */

const WATCHED_FOR = 15_000; // ms of silence; the camera gives a viewer up sooner, unless it cannot say so

/** @typedef {import('./screen.js').Feed} Feed */
/** @typedef {import('./session.js').MediaSession} MediaSession */
/** @typedef {{ show: (feed: Feed) => void, freeze: () => void }} Screen */

export class Aside {
  /** @type {MediaSession | null} */
  session = null;
  /** Whether its pictures are on the screen. */
  shown = false;
  /** @type {Feed | null} */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
  }

  /** One that has fallen silent: its last frame stays. @param {MediaSession | null} session */
  put(session) {
    this.session = session;
    this.screen.freeze();
    this.#watch();
  }

  /** One that shows pictures, and goes on. @param {MediaSession | null} session */
  keep(session) {
    this.session = session;
    this.shown = session !== null;
  }

  /** Its pictures have returned. */
  reveal() {
    if (this.shown || !this.session) return;
    clearTimeout(this.#timer);
    this.shown = true;
    this.screen.show(this.session.feed);
  }

  /** It has fallen silent, once more. */
  conceal() {
    if (!this.shown) return;
    this.shown = false;
    this.screen.freeze();
    this.#watch();
  }

  /** Shows what another session has, as soon as the screen is free. @param {Feed} feed */
  present(feed) {
    if (this.session) this.#next = feed;
    else this.screen.show(feed);
  }

  /** The other session is over, or never came to it. */
  dismiss() {
    this.#next = null;
  }

  /** Back to the stage, whatever waits for it. @returns {MediaSession} */
  takeBack() {
    const session = /** @type {MediaSession} */ (this.session);
    this.reveal();
    this.session = this.#next = null;
    this.shown = false;
    return session;
  }

  /** Nothing comes from there any more. Idempotent. */
  letGo() {
    this.conceal();
    clearTimeout(this.#timer);
    const [session, next] = [this.session, this.#next];
    this.session = this.#next = null;
    session?.close();
    if (next) this.screen.show(next);
  }

  #watch() {
    this.#timer = setTimeout(() => this.letGo(), WATCHED_FOR);
  }
}
