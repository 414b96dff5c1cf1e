/**
 * The fMP4 leg: a session that receives the camera's own picture and sound over a data channel.
 * PROTOCOL.md §12 says what travels on it.
 */

import { figures } from './fmp4-stats.js';
import { MseFeed } from './mse-feed.js';

const LABEL = 'media';
const PROTOCOL = 'porthole.fmp4.v1';
const REPLAY_EVERY = 1_100; // ms; the camera hears one a second
const ATTEMPTS = 3; // feeds that break one soon after the other, until the session is given up
const CALM_AFTER = 10_000; // ms without a failure; a feed that shows a moment and breaks is not well

/** @typedef {import('./session.js').LegListener} LegListener */

export class Fmp4Leg {
  name = /** @type {const} */ ('fmp4');
  #failures = 0;
  #failedAt = -Infinity; // ms
  #replayed = -Infinity; // ms
  /** @type {import('./fmp4-stats.js').Look | null} */
  #looked = null;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What is to be shown; after a setback it is another one. */
  feed;

  /**
   * @param {RTCPeerConnection} connection
   * @param {LegListener} listener
   */
  constructor(connection, listener) {
    this.connection = connection;
    this.listener = listener;
    this.channel = connection.createDataChannel(LABEL, { protocol: PROTOCOL, ordered: true });
    this.channel.binaryType = 'arraybuffer';
    this.channel.onmessage = ({ data }) => this.#received(data);
    this.channel.onclose = () => listener.lost('media_lost');
    this.feed = this.#newFeed();
  }

  get transport() {
    return this.connection.sctp?.transport ?? null;
  }

  /** Takes the camera's answer. @param {string} sdp */
  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
  }

  /** The figures since the last time. @param {import('./stats.js').Report} report */
  measure(report) {
    const look = this.feed.look();
    const told = figures(this.#looked, look, report);
    this.#looked = look;
    return told;
  }

  /** How many there were. */
  pictures() {
    return this.feed.look().pictures;
  }

  /** A camera whose pictures have stopped says nothing here; SCTP acknowledges what it hears. */
  knock() {
    if (this.channel.readyState === 'open') this.channel.send('{"type":"knock"}');
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.channel.onclose = this.channel.onmessage = null;
    this.feed.close();
  }

  /** @param {ArrayBuffer | string} data */
  #received(data) {
    if (data instanceof ArrayBuffer) this.feed.append(new Uint8Array(data));
    else this.#told(data);
  }

  /** @param {string} text */
  #told(text) {
    const message = parse(text);
    if (message?.type === 'stream' && typeof message.mime === 'string') this.#begin(message.mime);
    else if (message?.type === 'live') this.feed.live();
  }

  /** @param {string} mime */
  #begin(mime) {
    if (!this.feed.suits(mime)) this.#replaceFeed();
    this.feed.begin(mime);
  }

  #newFeed() {
    return new MseFeed({
      replay: () => this.#replay(),
      failed: (failure) => this.#failed(failure),
    });
  }

  #replaceFeed() {
    this.feed.close();
    this.feed = this.#newFeed();
    this.listener.show(this.feed);
  }

  /** @param {import('./mse-feed.js').Failure} failure */
  #failed(failure) {
    if (failure === 'unplayable') return this.listener.incapable();
    const now = performance.now();
    this.#failures = now - this.#failedAt > CALM_AFTER ? 1 : this.#failures + 1;
    this.#failedAt = now;
    if (this.#failures > ATTEMPTS) return this.listener.lost('media_broken');
    this.#replaceFeed();
    this.#replay();
  }

  /** Asks the camera to begin anew, as often as it listens to that. */
  #replay() {
    clearTimeout(this.#timer);
    const pause = Math.max(0, this.#replayed + REPLAY_EVERY - performance.now());
    this.#timer = setTimeout(() => this.#ask(), pause);
  }

  #ask() {
    this.#replayed = performance.now();
    if (!this.#closed && this.channel.readyState === 'open') this.channel.send('{"type":"replay"}');
  }
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
