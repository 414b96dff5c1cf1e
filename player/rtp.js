/** The RTP leg: a session that receives picture and sound as WebRTC's own tracks. */

import { h264 } from './legs.js';
import { figures } from './stats.js';

/** @typedef {import('./session.js').LegListener} LegListener */

export class RtpLeg {
  name = /** @type {const} */ ('rtp');
  /** @type {import('./stats.js').Report | null} */
  #report = null;

  /**
   * Adds what it wants to receive to the offer to come. Sound and picture go into one stream, so
   * that the browser keeps them together.
   *
   * @param {RTCPeerConnection} connection
   * @param {LegListener} listener
   */
  constructor(connection, listener) {
    this.connection = connection;
    const stream = new MediaStream();
    for (const kind of /** @type {const} */ (['video', 'audio'])) {
      const transceiver = connection.addTransceiver(kind, { direction: 'recvonly' });
      if (kind === 'video') transceiver.setCodecPreferences?.(h264());
      playAtOnce(transceiver.receiver);
      stream.addTrack(transceiver.receiver.track);
    }
    listener.show(new StreamFeed(stream));
  }

  get transport() {
    return this.connection.getReceivers()[0]?.transport ?? null;
  }

  /** The figures since the last time. */
  async measure() {
    const report = /** @type {import('./stats.js').Report} */ (
      /** @type {unknown} */ (await this.connection.getStats())
    );
    const told = figures(this.#report, report);
    this.#report = report;
    return told;
  }

  /** The connection's end is the tracks' end. */
  close() {}
}

/** A MediaStream on the screen. */
class StreamFeed {
  /** Whatever such a stream shows is live. */
  current = true;

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.stream = stream;
    /** @type {MediaStreamTrack | undefined} */
    this.sound = stream.getAudioTracks()[0];
  }

  /** A receiver's track is muted until its first packet comes: cameras without sound stay so. */
  get hasSound() {
    return this.sound?.muted === false;
  }

  /** @param {HTMLVideoElement} video @param {() => void} changed */
  attach(video, changed) {
    video.srcObject = this.stream;
    if (this.sound) this.sound.onunmute = changed;
  }

  /** What comes next takes its place; a moment without any would close a window of the picture. */
  detach() {}
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
