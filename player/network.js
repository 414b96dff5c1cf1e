/**
 * Tells when this device's network may be another one, and when the page has slept.
 *
 * Not everything that browsers tell is a change, and not every change is told: whoever hears of one
 * asks whether what it relies on is still there.
 */

const LOOK_EVERY = 1_000; // ms
const SLEPT = 4_000; // ms later than planned; timers of pages in the background come once a second

export class NetworkWatch {
  #told = new AbortController();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #looked = 0; // ms

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /** Idempotent. */
  start() {
    this.stop();
    this.#told = new AbortController();
    const { signal } = this.#told;
    const listen = (/** @type {EventTarget | undefined} */ target, /** @type {string} */ type) =>
      target?.addEventListener?.(type, () => this.changed(), { signal });
    listen(globalThis, 'online');
    listen(/** @type {any} */ (globalThis.navigator)?.connection, 'change');
    globalThis.document?.addEventListener('visibilitychange', () => document.hidden || this.changed(), { signal });
    this.#looked = Date.now();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
  }

  /** Idempotent. */
  stop() {
    clearInterval(this.#timer);
    this.#told.abort();
  }

  #look() {
    const late = Date.now() - this.#looked - LOOK_EVERY;
    this.#looked = Date.now();
    if (late > SLEPT) this.changed();
  }
}

/** Whether the device itself says that it has no network; that it has one proves nothing. */
export const isOffline = () => globalThis.navigator?.onLine === false;

/**
 * Why a server is not there, as a code.
 *
 * A server refuses pages of origins that it was not told of with 403. The WebSockets Standard
 * keeps that from scripts: to them it is like a server that is not there.
 *
 * @param {string} url
 * @param {boolean} wasThere
 */
export function absence(url, wasThere) {
  if (isOffline()) return 'offline';
  if (wasThere) return 'server_lost';
  return new URL(url).host === location.host ? 'server_unreachable' : 'server_elsewhere_unreachable';
}
