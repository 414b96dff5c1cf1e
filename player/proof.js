/**
 * What a viewer shows instead of its secret (PROTOCOL.md §1 and §5).
 *
 * The secret stays in the page: the server knows a hash of it, and a join carries a keyed hash
 * that is good for one connection only.
 */

import { hmacSha256, sha256 } from './sha256.js';

const utf8 = new TextEncoder();

/**
 * What the rendezvous keeps of a secret.
 *
 * @param {string} room
 * @param {string} secret
 */
export function viewerVerifier(room, secret) {
  return encode(sha256(utf8.encode(`porthole viewer v1\n${room}\n${secret}`)));
}

/**
 * The proof for this connection that the viewer holds the secret.
 *
 * @param {string} verifier
 * @param {{ nonce: string, connection: string, room: string }} of
 */
export function joinProof(verifier, { nonce, connection, room }) {
  const text = `porthole join v1\n${nonce}\n${connection}\n${room}`;
  return encode(hmacSha256(decode(verifier), utf8.encode(text)));
}

/** base64url without padding (RFC 4648 §5). @param {Uint8Array} bytes */
export function encode(bytes) {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {string} text @returns {Uint8Array} */
export function decode(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
