/** The rendezvous as a viewer meets it: a request, a WebSocket, and the room of a link. */

import { Line } from '../line.js';
import { joinProof, viewerVerifier } from '../proof.js';
import * as wire from '../wire.js';

/** @typedef {import('../link.js').Link} Link */

const WITHIN = 10_000; // ms

/** How the server answers a plain request, and what time it is there. */
export async function health() {
  try {
    const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(WITHIN) });
    const { status } = await answer.json();
    return { http: true, draining: status === 'draining', apart: apart(answer.headers.get('Date')) };
  } catch {
    return { http: false, draining: false, apart: null };
  }
}

/** Seconds by which our clock is ahead. @param {string | null} date of HTTP (RFC 9110 §5.6.7) */
function apart(date) {
  const theirs = Date.parse(date ?? '');
  return Number.isNaN(theirs) ? null : (Date.now() - theirs) / 1000;
}

/** A conversation of question and answer over one WebSocket. */
export class Conversation {
  /** @type {Line | null} */
  #line = null;
  /** @type {(message: wire.ServerMessage | null) => void} */
  #heard = () => {};

  /** Whether the server greets us. @returns {Promise<boolean>} */
  async open() {
    const url = new URL('/ws', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const greeted = this.#next();
    this.#line = new Line(url.href, {
      welcomed: (line) => this.#heard(line.welcome),
      message: (_line, message) => this.#heard(message),
      lost: () => this.#heard(null),
      heard: () => {},
    });
    return (await greeted) !== null;
  }

  /**
   * Asks to be let in; null when nothing is answered.
   *
   * @param {Link} link
   * @returns {Promise<wire.ServerMessage | null>}
   */
  async join({ room, secret }) {
    if (!this.#line?.welcome) return null;
    const { nonce, connection } = this.#line.welcome;
    const proof = secret && joinProof(viewerVerifier(room, secret), { nonce, connection, room });
    const answer = this.#next();
    this.#line.send(wire.join(room, proof));
    return answer;
  }

  /** Leaves, and frees the place. @param {string | null} session */
  close(session) {
    if (session) this.#line?.send(wire.end(session, 'left'));
    this.#line?.close();
  }

  /** What is said next; null when time is up, or the line is lost. @returns {Promise<wire.ServerMessage | null>} */
  #next() {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), WITHIN);
      this.#heard = (message) => {
        clearTimeout(timer);
        resolve(message);
      };
    });
  }
}
