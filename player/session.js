/**
 * One session's media: an RTCPeerConnection that offers to receive what its leg wants, trickles, is
 * measured while it is connected, and reports its end.
 *
 * A session is used once. There is no ICE restart: cameras that speak through aiortc accept one
 * and do nothing, so whoever lost the path joins anew.
 */

import { Fmp4Leg } from './fmp4.js';
import { Meter } from './meter.js';
import { RtpLeg } from './rtp.js';
import * as wire from './wire.js';

const MISSED_FOR = 3_000; // ms in `disconnected`, which short gaps of a radio network also cause
const WORD_WITHIN = 300; // ms that the reason, which goes through the server, may come after the end
const CANDIDATES = 64; // a session from each side (PROTOCOL.md §9)

/** @type {RTCConfiguration} */
const BUNDLED = { bundlePolicy: 'max-bundle' };
const LEGS = { rtp: RtpLeg, fmp4: Fmp4Leg };

/** @typedef {import('./screen.js').Feed} Feed */
/** @typedef {'connect_timeout' | 'media_lost' | 'media_broken' | 'offer_failed'} Loss */
/**
 * @typedef {{
 *   show: (feed: Feed) => void, incapable: () => void, lost: (reason: Loss) => void,
 * }} LegListener `incapable`: this browser cannot play what the camera sends.
 */
/**
 * @typedef {LegListener & {
 *   say: (message: wire.ClientMessage) => void,
 *   connected: () => void,
 *   felt: (feeling: import('./pulse.js').Feeling) => void,
 *   measured: (figures: import('./stats.js').Figures, stalled: boolean) => void,
 * }} Listener `felt`: the path does better or worse than before.
 */

export class MediaSession {
  /** What the server said of it, once it is open. @type {wire.Joined | null} */
  joined = null;
  #connected = false;
  #closed = false;
  #candidates = 0;
  /** @type {RtpLeg | Fmp4Leg | null} */
  #leg = null;
  /** @type {Promise<RTCSessionDescriptionInit>} */
  #offer;
  /** @type {Meter | null} */
  #meter = null;
  /** Descriptions and candidates are applied one after the other, as they came. */
  #applied = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;

  /**
   * Begins to make the offer. It is the same for every server, and takes as long as asking one.
   *
   * @param {wire.Leg} leg
   * @param {Listener} listener
   */
  constructor(leg, listener) {
    this.leg = leg;
    this.listener = listener;
    this.connection = new RTCPeerConnection(BUNDLED);
    this.connection.onicecandidate = ({ candidate }) => this.#gathered(candidate);
    this.connection.onconnectionstatechange = () => this.#judge();
    this.#offer = this.#draft();
    this.#offer.catch(() => undefined); // `open` will say so
  }

  async #draft() {
    this.#leg = new LEGS[this.leg](this.connection, this.#ofLeg());
    return this.connection.createOffer();
  }

  /**
   * Hands out what is to be shown and sends the offer.
   *
   * @param {wire.Joined} joined
   * @param {number} within milliseconds from now to a path that carries DTLS
   */
  async open(joined, within) {
    this.joined = joined;
    this.#deadline = setTimeout(() => this.#lost('connect_timeout'), within);
    try {
      const offer = await this.#offer;
      this.#configure(joined);
      const described = this.connection.setLocalDescription(offer);
      this.#ofLeg().show(this.feed); // the browser does both at a time
      await described;
    } catch {
      return this.#lost('offer_failed');
    }
    const sdp = this.connection.localDescription?.sdp;
    if (!this.#closed && sdp) this.listener.say(wire.offer(joined.session, sdp));
  }

  /** What it has to show, once it is open. */
  get feed() {
    return /** @type {RtpLeg | Fmp4Leg} */ (this.#leg).feed;
  }

  /** Whether nothing arrives, as far as one can say so soon. */
  get mute() {
    return this.#meter?.mute ?? false;
  }

  /** The network may be another one: a silence is not sat out for as long as otherwise. */
  hint() {
    this.#meter?.hint();
  }

  /** Its path is taken for silent: what is felt next is that pictures return. */
  giveUp() {
    this.#meter?.giveUp();
  }

  /**
   * Servers and policy are there before the local description is: gathering starts with it, and a
   * relay-only room would show its addresses otherwise.
   *
   * @param {wire.Joined} joined
   */
  #configure({ ice_servers: iceServers, ice_policy: iceTransportPolicy }) {
    this.connection.setConfiguration({ ...BUNDLED, iceServers, iceTransportPolicy });
  }

  /** @param {string} sdp */
  answered(sdp) {
    this.#apply(async () => {
      await this.#leg?.accept(sdp);
      this.#watchTransport();
    }, 'offer_failed');
  }

  /** @param {RTCIceCandidateInit | null} candidate null: the camera has no more (RFC 8838 §13) */
  candidate(candidate) {
    this.#apply(() => this.connection.addIceCandidate(candidate ?? undefined));
  }

  /** Idempotent; nothing is heard of the session afterwards. */
  close() {
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.#meter?.stop();
    this.#leg?.close();
    this.connection.close();
  }

  /** @returns {LegListener} */
  #ofLeg() {
    return {
      show: (feed) => this.#closed || this.listener.show(feed),
      incapable: () => this.#closed || this.listener.incapable(),
      lost: (reason) => (reason === 'media_lost' ? this.#hungUp() : this.#lost(reason)),
    };
  }

  /** @param {RTCIceCandidate | null} candidate */
  #gathered(candidate) {
    if (candidate?.candidate === '') return; // an m-line's end; null follows for all of them
    if (candidate && (this.#candidates += 1) > CANDIDATES) return;
    const { session } = /** @type {wire.Joined} */ (this.joined); // there is no gathering before
    this.listener.say(wire.candidate(session, candidate && candidate.toJSON()));
  }

  /**
   * @param {() => Promise<void>} operation
   * @param {'offer_failed'} [otherwise] without it a failure is harmless
   */
  #apply(operation, otherwise) {
    this.#applied = this.#applied
      .then(() => (this.#closed ? undefined : operation()))
      .catch(() => otherwise && this.#lost(otherwise));
  }

  #judge() {
    const state = this.connection.connectionState;
    if (state === 'connected') this.#isConnected();
    else if (state === 'disconnected') this.#miss();
    else if (state === 'failed') this.#lost(this.#connected ? 'media_lost' : 'connect_timeout');
  }

  #isConnected() {
    clearTimeout(this.#deadline);
    if (this.#connected) return;
    this.#connected = true;
    const leg = /** @type {RtpLeg | Fmp4Leg} */ (this.#leg);
    this.#meter = new Meter(this.connection, leg, this.listener);
    this.listener.connected();
  }

  /** The browser misses the camera; the meter mostly knew before, where the browser counts. */
  #miss() {
    this.hint();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.listener.felt('silent'), MISSED_FOR);
  }

  /** A camera that closes says so in DTLS; connectionState does not show it in every browser. */
  #watchTransport() {
    const transport = this.#leg?.transport;
    transport?.addEventListener('statechange', () => {
      if (transport.state === 'closed') this.#hungUp();
    });
  }

  /** Were the server told at once, it would forget the session before it hears why it is over. */
  #hungUp() {
    if (this.#closed) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost('media_lost'), WORD_WITHIN);
  }

  /** @param {Loss} reason */
  #lost(reason) {
    if (this.#closed) return;
    this.close();
    this.listener.lost(reason);
  }
}
