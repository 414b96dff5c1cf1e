/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104).
 *
 * Browsers have crypto.subtle only on secure origins, and a camera at home is often watched at
 * http://192.168.…: the proof of a join must be made there too. The messages are short; speed is
 * no matter.
 */

const BLOCK = 64; // bytes

/** The first 32 bits of the fractional parts of a root of each prime (FIPS 180-4 §4.2.2, §5.3.3). */
const [INITIAL, ROUND] = (() => {
  const primes = firstPrimes(64);
  const fraction = (/** @type {number} */ root) => Math.floor((root % 1) * 2 ** 32);
  return [primes.slice(0, 8).map((p) => fraction(Math.sqrt(p))), primes.map((p) => fraction(Math.cbrt(p)))];
})();

/** @param {number} count @returns {number[]} */
function firstPrimes(count) {
  /** @type {number[]} */
  const primes = [];
  for (let n = 2; primes.length < count; n += 1) {
    if (primes.every((p) => n % p !== 0)) primes.push(n);
  }
  return primes;
}

/**
 * @param {Uint8Array} data
 * @returns {Uint8Array} 32 bytes
 */
export function sha256(data) {
  const state = Uint32Array.from(INITIAL);
  const padded = pad(data);
  for (let at = 0; at < padded.byteLength; at += BLOCK) {
    compress(state, new DataView(padded.buffer, at, BLOCK));
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

/**
 * @param {Uint8Array} key
 * @param {Uint8Array} data
 * @returns {Uint8Array} 32 bytes
 */
export function hmacSha256(key, data) {
  const block = new Uint8Array(BLOCK);
  block.set(key.byteLength > BLOCK ? sha256(key) : key);
  const inner = sha256(concat(block.map((byte) => byte ^ 0x36), data));
  return sha256(concat(block.map((byte) => byte ^ 0x5c), inner));
}

/** @param {Uint8Array} data @returns {Uint8Array} */
function pad(data) {
  const length = Math.ceil((data.byteLength + 9) / BLOCK) * BLOCK;
  const padded = new Uint8Array(length);
  padded.set(data);
  padded[data.byteLength] = 0x80;
  new DataView(padded.buffer).setBigUint64(length - 8, BigInt(data.byteLength) * 8n);
  return padded;
}

/** @param {Uint32Array} state @param {DataView} block */
function compress(state, block) {
  const w = schedule(block);
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [a, b, c, d, e, f, g, h] = [(t1 + t2) | 0, a, b, c, (d + t1) | 0, e, f, g];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

/** @param {DataView} block @returns {Uint32Array} */
function schedule(block) {
  const w = new Uint32Array(64);
  for (let i = 0; i < 16; i += 1) w[i] = block.getUint32(4 * i);
  for (let i = 16; i < 64; i += 1) {
    const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
    const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  return w;
}

/** @param {number} word @param {number} bits */
const rotate = (word, bits) => (word >>> bits) | (word << (32 - bits));

/** @param {Uint8Array} a @param {Uint8Array} b @returns {Uint8Array} */
function concat(a, b) {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
