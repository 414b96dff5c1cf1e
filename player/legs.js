/**
 * Which leg a session takes: the camera's picture over RTP, or as fMP4 through Media Source
 * Extensions.
 *
 * RTP is some 250 ms faster; fMP4 keeps the camera's own sound, and carries what WebRTC cannot.
 */

/** @typedef {import('./wire.js').Leg} Leg */
/** @typedef {import('./wire.js').SourceFacts} Source */
/** @typedef {'no_h264' | 'b_frames' | 'codec_h265' | 'no_leg'} Lack Why this browser shows nothing. */
/** @typedef {{ leg: Leg } | { lack: Lack } | null} Choice null: it shows when the camera does. */

/**
 * The first leg that camera and browser have in common: what the page wishes, then the room.
 *
 * @param {Source} source
 * @param {Leg | null} wish
 * @param {(leg: Leg, source: Source) => boolean} able
 * @returns {Choice}
 */
export function choose(source, wish, able) {
  const wished = source.legs.filter((leg) => leg === wish);
  const known = source.state === 'live'; // before that a camera may not have named all its legs
  const leg = [...wished, ...source.legs].find((leg) => able(leg, source));
  if (leg && (known || !wish || leg === wish)) return { leg };
  return known ? { lack: lacking(source) } : null;
}

/** The leg that it will be, as far as one can guess before the camera is known. @param {Leg | null} wish @returns {Leg | null} */
export function likely(wish) {
  if (wish === 'fmp4' && mediaSource()) return 'fmp4';
  return h264().some(isH264) ? 'rtp' : null;
}

/** @param {Source} source @returns {Lack} */
function lacking({ code, legs }) {
  if (legs.includes('rtp')) return 'no_h264';
  return code === 'b_frames' || code === 'codec_h265' ? code : 'no_leg';
}

/**
 * Whether this browser plays what comes over the leg.
 *
 * @param {Leg} leg
 * @param {Source} source
 */
export function able(leg, source) {
  return leg === 'rtp' ? h264().some(isH264) : plays(probeOf(source));
}

/** The legs that did not play here although they should, each with what the camera sent then. */
export class Trials {
  /** @type {Map<Leg, string>} */
  #failed = new Map();

  /** @param {Leg} leg @param {Source | null} source */
  failed(leg, source) {
    this.#failed.set(leg, tracksOf(source));
  }

  /** Whether the browser plays it, by its word and by what was seen. @type {(leg: Leg, source: Source) => boolean} */
  able = (leg, source) => this.#failed.get(leg) !== tracksOf(source) && able(leg, source);
}

const tracksOf = (/** @type {Source | null} */ source) => JSON.stringify(source?.tracks ?? []);

/** Whether Media Source Extensions play it. @param {string} mime */
export const plays = (mime) => mediaSource()?.isTypeSupported(mime) ?? false;

/**
 * Safari on iPhones has the managed kind only (Media Source Extensions §4).
 *
 * @returns {typeof MediaSource | null}
 */
export function mediaSource() {
  const { MediaSource, ManagedMediaSource } = /** @type {any} */ (globalThis);
  return MediaSource ?? ManagedMediaSource ?? null;
}

/** H.264 and retransmission of it: a camera's pictures are passed on as they are. */
export function h264() {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities('video')?.codecs ?? [];
  return codecs.filter((codec) => isH264(codec) || /\/rtx$/i.test(codec.mimeType));
}

/** What people say for a camera's picture, as a profile that every such camera could have. */
const probeOf = (/** @type {Source} */ { tracks }) =>
  tracks.some(({ kind, codec }) => kind === 'video' && codec === 'H.265') ? H265 : H264;

const H264 = 'video/mp4; codecs="avc1.42e01f"';
const H265 = 'video/mp4; codecs="hvc1.1.6.L93.B0"';

/** @param {{ mimeType: string }} codec */
const isH264 = ({ mimeType }) => /\/h264$/i.test(mimeType);
