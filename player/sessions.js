/**
 * The sessions of one viewer: the one in use, the one to come, and the one whose place it takes.
 *
 * Nothing is let go before there is something better, or nothing left to hope for.
 */

import { Aside } from './aside.js';
import { MediaSession } from './session.js';

const CONNECT_WITHIN = 15_000; // ms from the offer to a path
const RECONNECT_WITHIN = 7_000; // ms; there was one before, and a network that returns may be missed

/** @typedef {import('./session.js').Loss} Loss */
/** @typedef {import('./wire.js').Leg} Leg */
/**
 * @typedef {{
 *   say: (message: import('./wire.js').ClientMessage) => void,
 *   connected: () => void, doubtful: () => void, silent: () => void,
 *   returned: (joined: import('./wire.js').Joined | null) => void, faded: () => void,
 *   measured: (figures: import('./stats.js').Figures, stalled: boolean) => void,
 *   incapable: (leg: Leg) => void, lost: (reason: Loss) => void,
 * }} Listener of the one in use; `returned` and `faded` are the pictures of the one set aside.
 */

export class Sessions {
  /** The one in use. @type {MediaSession | null} */
  current = null;
  /** The one to come, whose offer is made while the server is asked. @type {MediaSession | null} */
  #draft = null;
  #aside;
  #connectedOnce = false;

  /**
   * @param {import('./aside.js').Screen} screen
   * @param {Listener} listener
   */
  constructor(screen, listener) {
    this.screen = screen;
    this.listener = listener;
    this.#aside = new Aside(screen);
  }

  /** The network may be another one. */
  hint() {
    this.current?.hint();
  }

  /** Begins to make the offer, unless it was. @param {Leg} leg */
  prepare(leg) {
    if (this.#draft?.leg === leg) return;
    this.#draft?.close();
    try {
      this.#draft = this.#make(leg);
    } catch {
      this.#draft = null; // browsers have only so many connections
    }
  }

  /** Opens one over the leg. @param {Leg} leg @param {import('./wire.js').Joined} joined */
  open(leg, joined) {
    this.prepare(leg);
    this.current = this.#draft;
    this.#draft = null;
    if (!this.current) return this.listener.lost('offer_failed');
    void this.current.open(joined, this.#connectedOnce ? RECONNECT_WITHIN : CONNECT_WITHIN);
  }

  /** Whether the pictures of the one set aside are on the screen. */
  get showsFormer() {
    return this.#aside.shown;
  }

  /** The one in use is over: the last frame stays, or the pictures of the one set aside. */
  close() {
    if (!this.showsFormer) this.screen.freeze();
    this.current?.close();
    this.current = null;
    this.#aside.dismiss();
  }

  /** The one in use is silent: it is watched in case that its pictures return. */
  setAside() {
    this.current?.giveUp();
    this.#aside.put(this.current);
    this.current = null;
  }

  /** The one in use goes on until another has taken its place. */
  keepAside() {
    this.#aside.keep(this.current);
    this.current = null;
  }

  /** Shows the pictures of the one set aside until another has its own. */
  reveal() {
    this.#aside.reveal();
  }

  /** Uses the one set aside; what the server had said of it. */
  takeBack() {
    this.current = this.#aside.takeBack();
    return this.current.joined;
  }

  /** The one set aside is not needed any more. Idempotent. */
  letGo() {
    this.#aside.letGo();
  }

  /** A session is over, as somebody else says. @param {string} session */
  over(session) {
    if (this.#aside.session?.joined?.session === session) this.#fade(() => this.letGo());
  }

  /** Nothing is to come, and nothing to be waited for. Idempotent. */
  clear() {
    this.#draft?.close();
    this.#draft = null;
    this.#aside.dismiss();
    this.#aside.letGo();
  }

  /** @param {Leg} leg */
  #make(leg) {
    const { listener } = this;
    /** @type {MediaSession} */
    const session = new MediaSession(leg, {
      say: (message) => listener.say(message),
      show: (feed) => this.#aside.present(feed),
      connected: () => this.#connected(),
      felt: (feeling) => this.#felt(session, feeling),
      measured: (told, stalled) => session === this.current && listener.measured(told, stalled),
      incapable: () => (session === this.current ? listener.incapable(leg) : this.#lost(session, 'media_broken')),
      lost: (reason) => this.#lost(session, reason),
    });
    return session;
  }

  #connected() {
    this.#connectedOnce = true;
    this.listener.connected();
  }

  /** @param {MediaSession} session @param {import('./pulse.js').Feeling} feeling */
  #felt(session, feeling) {
    if (session === this.#aside.session) this.#feltAside(feeling);
    else if (feeling === 'silent') this.listener.silent();
    else if (feeling === 'doubtful') this.listener.doubtful();
  }

  /** @param {import('./pulse.js').Feeling} feeling */
  #feltAside(feeling) {
    if (feeling === 'well') this.listener.returned(/** @type {MediaSession} */ (this.#aside.session).joined);
    else if (feeling === 'silent') this.#fade(() => this.#aside.conceal());
  }

  /** @param {MediaSession} session @param {Loss} reason */
  #lost(session, reason) {
    if (session === this.#aside.session) this.#fade(() => this.letGo());
    else this.listener.lost(reason);
  }

  /** @param {() => void} end of the pictures of the one set aside, if there are any */
  #fade(end) {
    const { showsFormer } = this;
    end();
    if (showsFormer) this.listener.faded();
  }
}
