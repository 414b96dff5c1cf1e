/**
 * The one SourceBuffer of a live stream, with picture and sound: takes segments one at a time, and
 * lets go of what is long past.
 */

const KEPT = 10; // s behind the picture

/** @typedef {{ idle: () => void, broken: () => void }} Listener `idle`: it can take the next. */

export class MediaBuffer {
  /** @type {SourceBuffer | null} */
  #buffer = null;

  /**
   * @param {MediaSource} source
   * @param {import('./fragments.js').Fragments} fragments of what it is given
   * @param {AbortSignal} signal nothing is heard of it afterwards
   * @param {Listener} listener
   */
  constructor(source, fragments, signal, listener) {
    this.source = source;
    this.fragments = fragments;
    this.signal = signal;
    this.listener = listener;
  }

  get busy() {
    return this.#buffer?.updating ?? false;
  }

  /** The newest stretch of media without a gap, in seconds. */
  get newest() {
    const buffered = this.#buffer?.buffered;
    if (!buffered?.length) return null;
    const last = buffered.length - 1;
    return { start: buffered.start(last), end: buffered.end(last) };
  }

  /** A stream begins. Throws what the browser does: it may promise what it cannot keep. @param {string} mime */
  begin(mime) {
    if (!this.#buffer) return this.#open(mime);
    this.#buffer.abort(); // a segment that was cut off is forgotten
    this.#buffer.changeType(mime);
  }

  /** Throws what the browser does: a QuotaExceededError when it is full. @param {Uint8Array} bytes */
  append(bytes) {
    this.#buffer?.appendBuffer(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  }

  /** Whether it began to remove what is long past. @param {number} position seconds */
  trim(position) {
    return this.removeBefore(position - KEPT);
  }

  /**
   * Whether there is anything to remove before the last key frame at this time. Removing goes on
   * to the next key frame by itself (Media Source Extensions §3.5.9), be it the one to come: an end
   * in the middle of a GOP would take the live picture away.
   *
   * @param {number} time seconds
   */
  removeBefore(time) {
    const end = this.fragments.keyBefore(time);
    const buffered = this.#buffer?.buffered;
    if (!buffered?.length || end === null || buffered.start(0) >= end - 1) return false;
    this.#buffer?.remove(0, end);
    return true;
  }

  /** @param {string} mime */
  #open(mime) {
    this.#buffer = this.source.addSourceBuffer(mime);
    this.#buffer.mode = 'segments';
    this.source.duration = Infinity;
    const { signal } = this;
    this.#buffer.addEventListener('error', () => this.listener.broken(), { signal });
    this.#buffer.addEventListener('updateend', () => this.listener.idle(), { signal });
  }
}
