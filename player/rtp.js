/**
 * The RTP leg: a session that receives picture and sound as WebRTC's own tracks.
 *
 * While nobody hears the sound it is not taken. Browsers hold a picture back until its sound can be
 * played, which takes a tenth of a second, and they do so for muted players too. The camera need
 * not know: the browser negotiates with itself, with the camera's own answer, and drops the sound.
 */

import { h264 } from './legs.js';
import { figures, picturesOf } from './stats.js';

export class RtpLeg {
  name = /** @type {const} */ ('rtp');
  /** @type {import('./stats.js').Report | null} */
  #report = null;
  /** What the camera answered; empty until it did. */
  #answer = '';
  #hears = false;
  /** What the connection has; null until the camera's answer was applied. @type {boolean | null} */
  #hasSound = null;
  /** Descriptions are applied one after the other. */
  #applied = Promise.resolve();

  /**
   * Adds what it wants to receive to the offer to come. Sound and picture go into one stream, so
   * that the browser keeps them together.
   *
   * @param {RTCPeerConnection} connection
   * @param {import('./session.js').LegListener} listener
   */
  constructor(connection, listener) {
    this.connection = connection;
    this.listener = listener;
    const stream = new MediaStream();
    for (const kind of /** @type {const} */ (['video', 'audio'])) {
      const transceiver = connection.addTransceiver(kind, { direction: 'recvonly' });
      if (kind === 'video') transceiver.setCodecPreferences?.(h264());
      playAtOnce(transceiver.receiver);
      stream.addTrack(transceiver.receiver.track);
    }
    this.feed = new StreamFeed(stream, (hears) => this.#hear(hears));
  }

  get transport() {
    return this.connection.getReceivers()[0]?.transport ?? null;
  }

  /** Takes the camera's answer. @param {string} sdp */
  async accept(sdp) {
    this.#answer = sdp;
    this.feed.found(hasSound(sdp));
    await this.#settle();
  }

  /** @param {boolean} hears */
  #hear(hears) {
    this.#hears = hears;
    // Without the answer there is nothing to apply: `accept` finds what is wanted then.
    if (this.#answer) this.#settle().catch(() => this.listener.lost('offer_failed'));
  }

  /** Rejected when the browser does not take a description. */
  #settle() {
    this.#applied = this.#applied.then(() => this.#applyWanted());
    return this.#applied;
  }

  /** People may change their mind while a description is being applied. */
  async #applyWanted() {
    while (this.#hasSound !== this.#hears && this.connection.signalingState !== 'closed') {
      const hears = this.#hears;
      if (this.#hasSound !== null) await this.connection.setLocalDescription();
      const sdp = hears ? this.#answer : withoutSound(this.#answer);
      await this.connection.setRemoteDescription({ type: 'answer', sdp });
      this.#hasSound = hears;
    }
  }

  /** The figures since the last time. @param {import('./stats.js').Report} report */
  measure(report) {
    const told = figures(this.#report, report);
    this.#report = report;
    return told;
  }

  /** How many there were. @param {import('./stats.js').Report} report */
  pictures(report) {
    return picturesOf(report);
  }

  /** The camera's reports come every second anyway. */
  knock() {}

  /** The connection's end is the tracks' end. */
  close() {}
}

/** A MediaStream on the screen. */
class StreamFeed {
  /** Whatever such a stream shows is live. */
  current = true;
  hasSound = false;
  #shown = new AbortController();
  #changed = () => {};

  /**
   * @param {MediaStream} stream
   * @param {(hears: boolean) => void} hear
   */
  constructor(stream, hear) {
    this.stream = stream;
    this.hear = hear;
  }

  /** @param {boolean} hasSound */
  found(hasSound) {
    this.hasSound = hasSound;
    this.#changed();
  }

  /** @param {HTMLVideoElement} video @param {() => void} changed */
  attach(video, changed) {
    this.#changed = changed;
    const { signal } = this.#shown;
    video.addEventListener('volumechange', () => this.hear(!video.muted), { signal });
    this.hear(!video.muted);
    video.srcObject = this.stream;
  }

  /** What comes next takes its place; a moment without any would close a window of the picture. */
  detach() {
    this.#shown.abort();
  }
}

/** @param {string} sdp */
const sections = (sdp) => sdp.split(/^(?=m=)/m);

const SOUND = /^m=audio (?!0 )/;
const SENDS = /^a=send(only|recv)/m;
const OF_STREAM = /^a=(ssrc|msid):.*\r?\n/gm;

/** @param {string} sdp an answer */
const hasSound = (sdp) => sections(sdp).some((part) => SOUND.test(part) && SENDS.test(part));

/**
 * The answer without sound. What comes all the same belongs to no stream then, so that no picture
 * waits for it.
 *
 * @param {string} sdp
 */
const withoutSound = (sdp) =>
  sections(sdp).map((part) => (SOUND.test(part) ? part.replace(SENDS, 'a=inactive').replace(OF_STREAM, '') : part)).join('');

/**
 * Asks for the smallest buffer; the browser still grows it when the network needs that. The second
 * name is what Chromium had before the first was agreed upon.
 *
 * @param {RTCRtpReceiver} receiver
 */
function playAtOnce(receiver) {
  Object.assign(receiver, { jitterBufferTarget: 0, playoutDelayHint: 0 });
}
