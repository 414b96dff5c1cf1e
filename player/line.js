/**
 * One WebSocket to a rendezvous: greeted, kept alive, and lost once.
 *
 * Whoever opened it hears of the welcome, of messages, and of its loss, until it closes it.
 */

import * as wire from './wire.js';

const WELCOME_WITHIN = 10_000; // ms; a phone that wakes up may need several seconds for TLS
const ASK_AFTER = 5_000; // ms of silence (PROTOCOL.md §3)
const GIVE_UP_AFTER = 10_000; // ms of silence

/**
 * @typedef {{
 *   welcomed: (line: Line) => void,
 *   message: (line: Line, message: wire.ServerMessage) => void,
 *   lost: (line: Line, wasWelcome: boolean) => void,
 *   opened?: (line: Line) => void,
 *   heard?: (line: Line) => void,
 * }} Listener `opened`: somebody is there, and has yet to greet us; `heard`: the server has said
 * something, whatever it was.
 */

export class Line {
  #socket;
  /** What the server said to this connection; null as long as there is nobody to speak to.
   * @type {wire.Welcome | null} */
  welcome = null;
  #heard = Date.now();
  /** Until the welcome. @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;
  /** From then on. @type {ReturnType<typeof setInterval> | undefined} */
  #watch;

  /**
   * @param {string} url ws:// or wss://; throws what WebSocket throws
   * @param {Listener} listener
   * @param {number} openWithin milliseconds
   */
  constructor(url, listener, openWithin = WELCOME_WITHIN) {
    this.listener = listener;
    const socket = (this.#socket = new WebSocket(url));
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = () => this.#lost();
    this.#within(openWithin);
  }

  /** Milliseconds since the server was heard, or dialled. */
  get silence() {
    return Date.now() - this.#heard;
  }

  /** Says it, once the server has greeted us; whether it was said. @param {wire.ClientMessage} message */
  send(message) {
    if (this.welcome) this.#socket.send(JSON.stringify(message));
    return this.welcome !== null;
  }

  /** Idempotent; nothing is heard of it afterwards. */
  close() {
    clearTimeout(this.#deadline);
    clearInterval(this.#watch);
    this.welcome = null;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #opened() {
    this.#heard = Date.now();
    this.#within(WELCOME_WITHIN);
    this.#socket.send(JSON.stringify(wire.hello()));
    this.listener.opened?.(this);
  }

  /** @param {number} milliseconds */
  #within(milliseconds) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(), milliseconds);
  }

  /** @param {unknown} data */
  #received(data) {
    this.#heard = Date.now();
    this.listener.heard?.(this);
    const message = wire.parse(data);
    if (message?.type === 'welcome') {
      this.#greeted(message);
      this.listener.welcomed(this);
    } else if (message?.type === 'ping') this.send(wire.pong());
    else if (message && message.type !== 'pong') this.listener.message(this, message);
  }

  /** @param {wire.Welcome} welcome */
  #greeted(welcome) {
    clearTimeout(this.#deadline);
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#listen(), ASK_AFTER / 2);
    this.welcome = welcome;
  }

  /** A socket may die without a word, a server may stop to answer: silence tells. */
  #listen() {
    if (this.silence >= GIVE_UP_AFTER) this.#lost();
    else if (this.silence >= ASK_AFTER) this.send(wire.ping());
  }

  #lost() {
    const wasWelcome = this.welcome !== null;
    this.close();
    this.listener.lost(this, wasWelcome);
  }
}
