/**
 * Our place in the room, in the words that a server understands: asked for, taken again, given up.
 *
 * A server believes in a dead connection for some seconds. Joining from another one would take a
 * second place there, which a full room does not have; joining as who we are takes the same.
 */

import { joinProof, viewerVerifier } from './proof.js';
import * as wire from './wire.js';

export class Place {
  /** The session that we are in, or were in last. @type {wire.Joined | null} */
  joined = null;
  /** The connection that the server keeps it for; null when it does not, as far as we know.
   * @type {string | null} */
  #connection = null;

  /**
   * @param {import('./signalling.js').Signalling} signalling
   * @param {import('./link.js').Link} link
   */
  constructor(signalling, { room, secret }) {
    this.signalling = signalling;
    this.room = room;
    this.verifier = secret === null ? null : viewerVerifier(room, secret);
  }

  /** Asks for a place on this connection, or for the one that we had on another. @param {wire.Welcome} welcome */
  join(welcome) {
    if (this.#connection !== null && this.#connection !== welcome.connection) this.resume();
    const proof = this.verifier && joinProof(this.verifier, { ...welcome, room: this.room });
    this.signalling.send(wire.join(this.room, proof));
  }

  /** Comes back to the session. */
  resume() {
    if (!this.joined) return;
    const { session, secret } = this.joined;
    this.signalling.send(wire.resume(session, secret, this.room));
  }

  /** Gives the session up. @param {string} reason */
  end(reason) {
    if (!this.joined) return;
    const said = this.signalling.send(wire.end(this.joined.session, reason));
    if (said && this.#connection === this.#current) this.#connection = null;
  }

  /** The server has given us one. @param {wire.Joined} joined */
  given(joined) {
    this.joined = joined;
    this.#connection = this.#current;
  }

  /** The server keeps it for this connection now. */
  resumed() {
    if (this.#connection !== null) this.#connection = this.#current;
  }

  /** The server keeps it no longer. */
  lost() {
    this.#connection = null;
  }

  get #current() {
    return this.signalling.welcome?.connection ?? null;
  }
}
