/** Two looks at a feed of fragments, some time apart, as the figures that people ask for. */

import { ratio, selectedRoute, sum } from './stats.js';

/**
 * @typedef {{
 *   at: number, mime: string, width: number, height: number, pictures: number, dropped: number,
 *   bytes: { video: number, audio: number }, dried: number, lag: number | null,
 * }} Look `at` in milliseconds, `lag` in seconds; the counts are from the beginning of the feed.
 */

const CODECS = { avc1: 'H264', avc3: 'H264', hvc1: 'H265', hev1: 'H265' };

/**
 * @param {Look | null} before null: everything is counted from the beginning
 * @param {Look} after
 * @param {import('./stats.js').Report} report of the connection
 * @returns {import('./stats.js').Figures}
 */
export function figures(before, after, report) {
  const { roundTrip, ...route } = selectedRoute(report);
  const elapsed = before && (after.at - before.at) / 1000;
  const rate = (/** @type {(look: Look) => number} */ count) =>
    before && elapsed ? ratio(Math.max(0, count(after) - count(before)), elapsed) : null;
  return {
    leg: 'fmp4',
    width: after.width || null,
    height: after.height || null,
    codec: codecName(after.mime),
    frames: after.pictures,
    framesPerSecond: rate((look) => look.pictures),
    dropped: after.dropped,
    freezes: after.dried,
    videoBitrate: rate((look) => 8 * look.bytes.video),
    audioBitrate: rate((look) => 8 * look.bytes.audio),
    loss: null, // what is lost is sent again before we hear of it
    jitterBuffer: null,
    buffer: after.lag,
    decode: null,
    roundTrip,
    transit: sum(after.lag, roundTrip === null ? null : roundTrip / 2),
    ...route,
  };
}

/** @param {string} mime */
function codecName(mime) {
  const name = /codecs="(\w{4})/.exec(mime)?.[1] ?? '';
  return CODECS[/** @type {keyof typeof CODECS} */ (name)] ?? null;
}
