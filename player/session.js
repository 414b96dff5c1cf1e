/**
 * One session's media: an RTCPeerConnection that offers to receive, trickles, is measured while
 * it is connected, and reports its end.
 *
 * A session is used once. There is no ICE restart: cameras that speak through aiortc accept one
 * and do nothing, so whoever lost the path joins anew.
 */

import { Meter } from './meter.js';
import * as wire from './wire.js';

const CONNECT_WITHIN = 15_000; // ms from the offer to a path that carries DTLS
const MISSED_FOR = 3_000; // ms in `disconnected`, which short gaps of a radio network also cause
const CANDIDATES = 64; // a session from each side (PROTOCOL.md §9)

/**
 * @typedef {{
 *   say: (message: wire.ClientMessage) => void,
 *   stream: (stream: MediaStream) => void,
 *   connected: () => void,
 *   measured: (figures: import('./stats.js').Figures, stalled: boolean) => void,
 *   lost: (reason: 'connect_timeout' | 'media_lost' | 'offer_failed') => void,
 * }} Listener
 */

export class MediaSession {
  #connected = false;
  #closed = false;
  #candidates = 0;
  /** @type {Meter | null} */
  #meter = null;
  /** Descriptions and candidates are applied one after the other, as they came. */
  #applied = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;

  /**
   * @param {wire.Joined} joined
   * @param {Listener} listener
   */
  constructor(joined, listener) {
    this.id = joined.session;
    this.listener = listener;
    // Servers and policy are there before the local description is: gathering starts with it, and
    // a relay-only room would show its addresses otherwise.
    this.connection = new RTCPeerConnection({
      iceServers: joined.ice_servers,
      iceTransportPolicy: joined.ice_policy,
      bundlePolicy: 'max-bundle',
    });
    this.connection.onicecandidate = ({ candidate }) => this.#gathered(candidate);
    this.connection.onconnectionstatechange = () => this.#judge();
  }

  /** Hands out the stream to come and sends the offer. */
  async open() {
    this.#lostAfter(CONNECT_WITHIN, 'connect_timeout');
    try {
      this.#receive();
      await this.connection.setLocalDescription();
    } catch {
      return this.#lost('offer_failed');
    }
    const sdp = this.connection.localDescription?.sdp;
    if (!this.#closed && sdp) this.listener.say(wire.offer(this.id, sdp));
  }

  /** @param {string} sdp */
  answered(sdp) {
    this.#apply(async () => {
      await this.connection.setRemoteDescription({ type: 'answer', sdp });
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
    this.connection.close();
  }

  /** Sound and picture in one stream, so that the browser keeps them together. */
  #receive() {
    const stream = new MediaStream();
    for (const kind of /** @type {const} */ (['video', 'audio'])) {
      const transceiver = this.connection.addTransceiver(kind, { direction: 'recvonly' });
      if (kind === 'video') preferH264(transceiver);
      playAtOnce(transceiver.receiver);
      stream.addTrack(transceiver.receiver.track);
    }
    this.listener.stream(stream);
  }

  /** @param {RTCIceCandidate | null} candidate */
  #gathered(candidate) {
    if (candidate?.candidate === '') return; // an m-line's end; null follows for all of them
    if (candidate && (this.#candidates += 1) > CANDIDATES) return;
    this.listener.say(wire.candidate(this.id, candidate && candidate.toJSON()));
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
    else if (state === 'disconnected') this.#lostAfter(MISSED_FOR, 'media_lost');
    else if (state === 'failed') this.#lost(this.#connected ? 'media_lost' : 'connect_timeout');
  }

  #isConnected() {
    clearTimeout(this.#deadline);
    if (this.#connected) return;
    this.#connected = true;
    this.#meter = new Meter(() => this.connection.getStats(), this.listener.measured);
    this.listener.connected();
  }

  /** A camera that closes says so in DTLS; connectionState does not show it in every browser. */
  #watchTransport() {
    const transport = this.connection.getReceivers()[0]?.transport;
    transport?.addEventListener('statechange', () => {
      if (transport.state === 'closed') this.#lost('media_lost');
    });
  }

  /** @param {number} pause @param {'connect_timeout' | 'media_lost'} reason */
  #lostAfter(pause, reason) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(reason), pause);
  }

  /** @param {Parameters<Listener['lost']>[0]} reason */
  #lost(reason) {
    if (this.#closed) return;
    this.close();
    this.listener.lost(reason);
  }
}

/**
 * What this browser lacks to receive what cameras send; null when it has everything.
 *
 * @returns {'no_webrtc' | 'no_h264' | null}
 */
export function lacking() {
  if (!('RTCPeerConnection' in globalThis)) return 'no_webrtc'; // switched off, or very old
  return h264().some(isH264) ? null : 'no_h264';
}

/** H.264 and retransmission of it: a camera's pictures are passed on as they are. */
function h264() {
  const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  return codecs.filter((codec) => isH264(codec) || /\/rtx$/i.test(codec.mimeType));
}

/** @param {{ mimeType: string }} codec */
const isH264 = ({ mimeType }) => /\/h264$/i.test(mimeType);

/** @param {RTCRtpTransceiver} transceiver */
function preferH264(transceiver) {
  transceiver.setCodecPreferences?.(h264());
}

/**
 * Asks for the smallest buffer; the browser still grows it when the network needs that. The second
 * name is what Chromium had before the first was agreed upon.
 *
 * @param {RTCRtpReceiver} receiver
 */
function playAtOnce(receiver) {
  Object.assign(receiver, { jitterBufferTarget: 0, playoutDelayHint: 0 });
}
