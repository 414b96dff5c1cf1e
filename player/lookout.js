/**
 * Looks for a server that does not answer, and tells when it does again.
 *
 * By small requests, because WebSockets are no good for that: only one to a server may be
 * connecting at a time (RFC 6455 §4.1), and Chromium delays each by up to five seconds when a dozen
 * have failed. But the connection of a request that was given up goes on to be tried there, more and
 * more rarely, and a server is not tried on more than six: after so many, attempts are better.
 */

const LOOK_EVERY = 1_600; // ms, and up to half as much again: so that viewers do not come as one
const ANSWER_WITHIN = 4_000; // ms; what was asked into a network that was gone may be lost for good
const CONNECTIONS = 6; // to one server

export class Lookout {
  #url;
  #asked = 0;
  /** The number of the last request that was answered. */
  #answered = 0;
  /** How many were swallowed since the last answer. */
  #swallowed = 0;
  /** A page's content security policy may allow WebSockets and forbid this. */
  #forbidden = false;
  /** Of the time from `start` to `stop`; null between them. @type {AbortController | null} */
  #watch = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} url of the WebSocket
   * @param {() => void} returned
   */
  constructor(url, returned) {
    this.#url = healthUrl(url);
    this.returned = returned;
  }

  /** Whether nothing can be seen by looking. */
  get blind() {
    return this.#forbidden || this.#swallowed >= CONNECTIONS;
  }

  /** Begins to look, unless it does. */
  start() {
    if (this.#watch || !this.#url) return;
    this.#watch = new AbortController();
    this.#answered = this.#asked;
    const { signal } = this.#watch;
    globalThis.document?.addEventListener('securitypolicyviolation', this.#violated, { signal });
    this.#lookIn(LOOK_EVERY / 2, this.#watch);
  }

  /** Idempotent; nothing is heard of it afterwards. */
  stop() {
    clearTimeout(this.#timer);
    this.#watch?.abort();
    this.#watch = null;
  }

  /** @param {number} pause milliseconds @param {AbortController} watch */
  #lookIn(pause, watch) {
    this.#timer = setTimeout(() => void this.#look(watch), pause * (1 + Math.random() / 2));
  }

  /** @param {AbortController} watch */
  async #look(watch) {
    this.#lookIn(LOOK_EVERY, watch);
    const number = (this.#asked += 1);
    const there = await answers(this.#url, watch.signal);
    if (watch !== this.#watch) return;
    this.#count(there);
    if (!there || number < this.#answered) return;
    // One that was there all the time has other reasons not to take us: it is left alone. But where
    // a request is answered before an earlier one, that one went into a network that was gone.
    const returned = number > this.#answered + 1;
    this.#answered = number;
    if (returned) this.returned();
  }

  /**
   * One that failed says nothing: after two minutes systems give up connections, also those of
   * requests that were given up long ago, and a later request is told.
   *
   * @param {boolean | null} there
   */
  #count(there) {
    if (there) this.#swallowed = 0;
    else if (there === null) this.#swallowed += 1;
  }

  #violated = (/** @type {SecurityPolicyViolationEvent} */ { blockedURI }) => {
    this.#forbidden ||= blockedURI.startsWith(new URL(this.#url).origin);
  };
}

/**
 * Null when nobody said anything, not even no.
 *
 * @param {string} url
 * @param {AbortSignal} stopped
 */
async function answers(url, stopped) {
  const asked = new AbortController();
  const giveUp = () => asked.abort();
  const tooLate = setTimeout(giveUp, ANSWER_WITHIN);
  stopped.addEventListener('abort', giveUp, { signal: asked.signal });
  try {
    // Whatever comes back is an answer; other origins' need not be readable for that.
    await fetch(url, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', signal: asked.signal });
    return true;
  } catch {
    return asked.signal.aborted ? null : false;
  } finally {
    clearTimeout(tooLate);
    asked.abort();
  }
}

/** Empty when the address is none. @param {string} url */
function healthUrl(url) {
  try {
    return new URL('/healthz', url.replace(/^ws/, 'http')).href;
  } catch {
    return '';
  }
}
