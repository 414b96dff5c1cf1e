/** Two reports of getStats, some time apart, as the few figures that people ask for. */

/**
 * @typedef {{
 *   leg: import('./wire.js').Leg,
 *   width: number | null, height: number | null, codec: string | null,
 *   frames: number, framesPerSecond: number | null, dropped: number, freezes: number,
 *   videoBitrate: number | null, audioBitrate: number | null, loss: number | null,
 *   roundTrip: number | null, jitterBuffer: number | null, buffer: number | null,
 *   decode: number | null, transit: number | null,
 *   path: 'direct' | 'relayed' | null, relays: 'ours' | 'theirs' | 'both' | null,
 *   protocol: string | null, family: 'IPv4' | 'IPv6' | null,
 * }} Figures Bitrates in bit/s, times in seconds, loss from 0 to 1; null: not known (yet).
 *
 * `buffer`: what is held ahead of the picture so that sound and picture do not run dry; browsers tell
 * what theirs for RTP held as `jitterBuffer`. `transit`: from the publisher's sending to the picture, not from the lens. What the camera takes
 * is beyond measure here: Chromium gives no captureTime for such tracks, and the sender reports'
 * clock is another machine's, which no browser can tell from a delay. `relays`: whose TURN server
 * media takes, this browser's or the camera's. `protocol`: from here to the first stop.
 */
/** @typedef {Record<string, any>} Entry */
/** @typedef {{ values(): Iterable<Entry> }} Report */

/**
 * @param {Report | null} before null: everything is counted from the beginning
 * @param {Report} after
 * @returns {Figures}
 */
export function figures(before, after) {
  const video = inbound(before, after, 'video');
  const audio = inbound(before, after, 'audio');
  const { roundTrip, ...route } = selectedRoute(after);
  const jitterBuffer = ratio(video.grown('jitterBufferDelay'), video.grown('jitterBufferEmittedCount'));
  const decode = ratio(video.grown('totalDecodeTime'), video.grown('framesDecoded'));
  return {
    leg: 'rtp',
    width: video.now.frameWidth ?? null,
    height: video.now.frameHeight ?? null,
    codec: codecName(after, video.now.codecId),
    frames: video.now.framesDecoded ?? 0,
    framesPerSecond: ratio(video.grown('framesDecoded'), video.elapsed),
    dropped: video.now.framesDropped ?? 0,
    freezes: video.now.freezeCount ?? 0,
    videoBitrate: bitrate(video),
    audioBitrate: bitrate(audio),
    loss: lossOf([video, audio]),
    jitterBuffer,
    buffer: null,
    decode,
    roundTrip,
    transit: sum(jitterBuffer, decode, roundTrip === null ? null : roundTrip / 2),
    ...route,
  };
}

/** @typedef {{ now: Entry, elapsed: number, grown: (name: string) => number }} Inbound */

/** @param {Report | null} before @param {Report} after @param {string} kind @returns {Inbound} */
function inbound(before, after, kind) {
  const now = find(after, (entry) => entry.type === 'inbound-rtp' && entry.kind === kind) ?? {};
  const then = (before && find(before, (entry) => entry.id === now.id)) ?? {};
  return {
    now,
    elapsed: then.timestamp === undefined ? 0 : (now.timestamp - then.timestamp) / 1000,
    grown: (name) => (now[name] ?? 0) - (then[name] ?? 0),
  };
}

/** @param {Inbound} stream */
const bitrate = (stream) => ratio(8 * stream.grown('bytesReceived'), stream.elapsed);

/** A late packet makes packetsLost shrink (RFC 3550 §6.4.1); less than none is none.
 * @param {Inbound[]} streams */
function lossOf(streams) {
  const total = (/** @type {string} */ name) => streams.reduce((n, s) => n + s.grown(name), 0);
  const lost = Math.max(0, total('packetsLost'));
  return ratio(lost, lost + total('packetsReceived'));
}

/** How many pictures were decoded. @param {Report} report */
export const picturesOf = (report) =>
  find(report, (entry) => entry.type === 'inbound-rtp' && entry.kind === 'video')?.framesDecoded ?? 0;

/** Counts everything that arrives on the path: only whether it grows matters. @param {Report} report */
export function signsOfLife(report) {
  const pair = selectedPair(report) ?? {};
  const streams = [...report.values()].filter(({ type }) => type === 'inbound-rtp' || type === 'transport');
  const counts = streams.map(({ packetsReceived = 0, bytesReceived = 0 }) => packetsReceived + bytesReceived);
  const { bytesReceived = 0, responsesReceived = 0, requestsReceived = 0 } = pair;
  return counts.reduce((sum, count) => sum + count, bytesReceived + responsesReceived + requestsReceived);
}

/** @typedef {Pick<Figures, 'path' | 'relays' | 'protocol' | 'family' | 'roundTrip'>} Route */

/** @type {Route} */
const NO_ROUTE = { path: null, relays: null, protocol: null, family: null, roundTrip: null };

/** The way that media takes. @param {Report} report @returns {Route} */
export function selectedRoute(report) {
  const pair = selectedPair(report);
  const local = pair && byId(report, pair.localCandidateId);
  const remote = pair && byId(report, pair.remoteCandidateId);
  if (!local || !remote) return NO_ROUTE;
  const relays = relaysOf(isRelay(report, local), isRelay(report, remote));
  return {
    path: relays ? 'relayed' : 'direct',
    relays,
    protocol: String(local.relayProtocol ?? local.protocol ?? '').toUpperCase() || null,
    family: familyOf(addressOf(remote) || addressOf(local)),
    roundTrip: pair.currentRoundTripTime ?? null,
  };
}

/** @param {boolean} ours @param {boolean} theirs @returns {Route['relays']} */
const relaysOf = (ours, theirs) => (ours && theirs ? 'both' : ours ? 'ours' : theirs ? 'theirs' : null);

/**
 * A check from the camera's relay may come before the word of it; the browser then calls the
 * address peer-reflexive (RFC 8445 §7.3.1.3), and may know it as a relay as well.
 *
 * @param {Report} report
 * @param {Entry} end
 */
function isRelay(report, end) {
  if (end.candidateType !== 'prflx') return end.candidateType === 'relay';
  const same = (/** @type {Entry} */ e) => addressOf(e) === addressOf(end) && e.port === end.port;
  return Boolean(find(report, (e) => e.type === end.type && e.candidateType === 'relay' && addressOf(e) && same(e)));
}

/** Empty where the browser hides it. @param {Entry} end @returns {string} */
const addressOf = ({ address, ip }) => address ?? ip ?? '';

/** @param {string} address @returns {Route['family']} */
function familyOf(address) {
  if (address.includes(':')) return 'IPv6';
  return /^[0-9.]+$/.test(address) ? 'IPv4' : null; // nor does a .local name tell
}

/** Firefox has no transport entry; it marks the pair itself. @param {Report} report */
function selectedPair(report) {
  const transport = find(report, (e) => e.type === 'transport' && e.selectedCandidatePairId);
  if (transport) return byId(report, transport.selectedCandidatePairId);
  return find(report, (e) => e.type === 'candidate-pair' && e.selected);
}

/** @param {Report} report @param {string | undefined} id */
const codecName = (report, id) => byId(report, id)?.mimeType?.replace(/^.*\//, '') ?? null;

/** @param {Report} report @param {string | undefined} id */
const byId = (report, id) => (id ? find(report, (entry) => entry.id === id) : undefined);

/** @param {Report} report @param {(entry: Entry) => unknown} wanted @returns {Entry | undefined} */
function find(report, wanted) {
  for (const entry of report.values()) if (wanted(entry)) return entry;
  return undefined;
}

/** Null without a whole. @param {number} part @param {number} whole */
export const ratio = (part, whole) => (whole > 0 ? part / whole : null);

/** Null when a part is not known. @param {(number | null)[]} parts */
export const sum = (...parts) => parts.reduce((a, b) => (a === null || b === null ? null : a + b));
