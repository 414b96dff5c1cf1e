/**
 * What waits for the browser's buffer, in order: bytes, and notes of what is to happen between.
 *
 * The buffer takes one append at a time and a frame at a time would not keep up with a GOP, so all
 * the bytes up to the next note come out as one piece.
 */

/** @typedef {() => void} Note */

const NOTE_BYTES = 1024; // that a note counts for: nobody shall fill the memory with them

export class AppendQueue {
  /** @type {(Uint8Array | Note)[]} */
  #items = [];
  #bytes = 0;

  /** @param {number} limit bytes that may wait */
  constructor(limit) {
    this.limit = limit;
  }

  get empty() {
    return this.#items.length === 0;
  }

  /** False, and nothing taken, when there is no room. @param {Uint8Array} bytes */
  push(bytes) {
    return this.#take(bytes, bytes.byteLength);
  }

  /** False, and not taken, when there is no room. @param {Note} note */
  note(note) {
    return this.#take(note, NOTE_BYTES);
  }

  /** @param {Uint8Array | Note} item @param {number} cost */
  #take(item, cost) {
    if (this.#bytes + cost > this.limit) return false;
    this.#items.push(item);
    this.#bytes += cost;
    return true;
  }

  /** Bytes that were taken out come first again. @param {Uint8Array} bytes */
  unshift(bytes) {
    this.#items.unshift(bytes);
    this.#bytes += bytes.byteLength;
  }

  /** All bytes up to the next note, or the note; null when there is nothing. @returns {Uint8Array | Note | null} */
  next() {
    const first = this.#items[0];
    if (first === undefined) return null;
    if (!(first instanceof Uint8Array)) return this.#nextNote();
    const end = this.#items.findIndex((item) => !(item instanceof Uint8Array));
    const pieces = this.#items.splice(0, end < 0 ? this.#items.length : end);
    return this.#joined(/** @type {Uint8Array[]} */ (pieces));
  }

  #nextNote() {
    this.#bytes -= NOTE_BYTES;
    return /** @type {Note} */ (this.#items.shift());
  }

  clear() {
    this.#items = [];
    this.#bytes = 0;
  }

  /** @param {Uint8Array[]} pieces */
  #joined(pieces) {
    const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    this.#bytes -= length;
    return whole;
  }
}
