/**
 * Looks for a server that does not answer, and tells when it does again.
 *
 * By small requests, because WebSockets are no good for that: only one to a server may be
 * connecting at a time (RFC 6455 §4.1), and Chromium delays each by up to five seconds when a dozen
 * have failed.
 */

const LOOK_EVERY = 1_600; // ms, and up to half as much again: so that viewers do not come as one
const ANSWER_WITHIN = 4_000; // ms; what was asked into a network that was gone may be lost for good

export class Lookout {
  #url;
  #asked = 0;
  /** The number of the last request that was answered. */
  #answered = 0;
  /** A page's content security policy may allow WebSockets and forbid this. */
  blind = false;
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

  /** Begins to look, unless it does. */
  start() {
    if (this.#watch || !this.#url) return;
    this.#watch = new AbortController();
    this.#answered = this.#asked;
    const { signal } = this.#watch;
    globalThis.document?.addEventListener('securitypolicyviolation', this.#forbidden, { signal });
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
    if (watch !== this.#watch || !there || number < this.#answered) return;
    // One that was there all the time has other reasons not to take us: it is left alone. But where
    // a request is answered before an earlier one, that one went into a network that was gone.
    const returned = number > this.#answered + 1;
    this.#answered = number;
    if (returned) this.returned();
  }

  #forbidden = (/** @type {SecurityPolicyViolationEvent} */ { blockedURI }) => {
    this.blind ||= blockedURI.startsWith(new URL(this.#url).origin);
  };
}

/** @param {string} url @param {AbortSignal} stopped */
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
    return false;
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
