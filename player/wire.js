/**
 * The vocabulary between viewer and rendezvous: what a viewer says and what it is told.
 *
 * The declaration is rendezvous/wire/messages.py, the prose PROTOCOL.md; tests/wire has examples
 * that both sides are tested with. A message is parsed once, here; behind this module its fields
 * are there, have their types and their defaults.
 */

/** @typedef {'starting' | 'live' | 'lost' | 'unplayable'} SourceState */
/** @typedef {{ kind: 'audio' | 'video', codec: string, detail?: string }} Track */
/** @typedef {'rtp' | 'fmp4'} Leg */
/** @typedef {{ state: SourceState, code: string | null, message: string, tracks: Track[], legs: Leg[] }} SourceFacts */
/** @typedef {{ urls: string[], username?: string, credential?: string }} IceServer */

/** @typedef {{ type: 'welcome', version: number, server: string, connection: string, nonce: string }} Welcome */
/** @typedef {{ type: 'ping' }} Ping */
/** @typedef {{ type: 'pong' }} Pong */
/** @typedef {{ type: 'error', code: string, message: string, session: string | null, retry_after: number | null }} Refusal */
/** @typedef {{ type: 'goaway', after: number }} Goaway */
/** @typedef {{ type: 'source' } & SourceFacts} Source */
/** @typedef {{ type: 'waiting', room: string }} Waiting */
/**
 * @typedef {{
 *   type: 'joined', room: string, session: string, secret: string,
 *   ice_servers: IceServer[], ice_policy: 'all' | 'relay', source: SourceFacts,
 * }} Joined
 */
/** @typedef {{ type: 'answer', session: string, sdp: string }} Answer */
/** @typedef {{ type: 'candidate', session: string, candidate: RTCIceCandidateInit | null }} Candidate */
/** @typedef {{ type: 'end', session: string, reason: string, message: string }} End */
/** @typedef {{ type: 'presence', session: string, present: boolean }} Presence */
/** @typedef {{ type: 'resumed', session: string }} Resumed */
/**
 * @typedef {Welcome | Ping | Pong | Refusal | Goaway | Source | Waiting | Joined | Answer
 *   | Candidate | End | Presence | Resumed} ServerMessage
 */
/** @typedef {Record<string, unknown> & { type: string }} ClientMessage */

export const VERSION = 1;
export const AGENT = 'porthole-player/1';

// ── what a viewer says: fields at their default are left out, as the server does ────────────

/** @returns {ClientMessage} */
export const hello = () => ({ type: 'hello', version: VERSION, agent: AGENT });

/** @returns {ClientMessage} */
export const ping = () => ({ type: 'ping' });

/** @returns {ClientMessage} */
export const pong = () => ({ type: 'pong' });

/** @param {string} room @param {string | null} proof @returns {ClientMessage} */
export const join = (room, proof) => ({ type: 'join', room, ...(proof && { proof }) });

/** @param {string} session @param {string} sdp @returns {ClientMessage} */
export const offer = (session, sdp) => ({ type: 'offer', session, sdp });

/** @param {string} session @param {RTCIceCandidateInit | null} candidate @returns {ClientMessage} */
export const candidate = (session, candidate) => ({ type: 'candidate', session, candidate });

/** @param {string} session @param {string} reason @returns {ClientMessage} */
export const end = (session, reason) => ({ type: 'end', session, reason });

/** @param {string} session @param {string} secret @param {string} room @returns {ClientMessage} */
export const resume = (session, secret, room) => ({ type: 'resume', session, secret, room });

// ── what a viewer is told ────────────────────────────────────────────────────────────────────

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const text = (value) => typeof value === 'string';
/** @type {Check} */
const number = (value) => typeof value === 'number';
/** @type {Check} */
const flag = (value) => typeof value === 'boolean';
/** @type {Check} */
const object = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @type {(check: Check) => Check} */
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);
/** @type {(check: Check) => Check} */
const orNull = (check) => (value) => value === null || check(value);
/** @type {(...words: string[]) => Check} */
const oneOf = (...words) => (value) => words.includes(/** @type {string} */ (value));

/** @typedef {[check: Check, fallback?: unknown]} Field A field without a fallback is required. */
/** @typedef {Record<string, Field>} Shape */

/** @type {Shape} */
const SOURCE = {
  state: [oneOf('starting', 'live', 'lost', 'unplayable')],
  code: [orNull(text), null],
  message: [text, ''],
  tracks: [listOf(object), []],
  legs: [listOf(text), ['rtp']],
};

/** The deliveries that this player knows; a camera may name newer ones. */
const LEGS = ['rtp', 'fmp4'];

/** @type {Record<string, Shape>} */
const SHAPES = {
  welcome: { version: [number], server: [text], connection: [text], nonce: [text] },
  ping: {},
  pong: {},
  error: {
    code: [text],
    message: [text],
    session: [orNull(text), null],
    retry_after: [orNull(number), null],
  },
  goaway: { after: [number] },
  source: SOURCE,
  waiting: { room: [text] },
  joined: {
    room: [text],
    session: [text],
    secret: [text],
    ice_servers: [listOf(isIceServer), []],
    ice_policy: [oneOf('all', 'relay'), 'all'],
    source: [object, { state: 'starting' }],
  },
  answer: { session: [text], sdp: [text] },
  candidate: { session: [text], candidate: [orNull(object)] },
  end: { session: [text], reason: [text], message: [text, ''] },
  presence: { session: [text], present: [flag] },
  resumed: { session: [text] },
};

/** The types of message that a viewer understands. */
export const SERVER_TYPES = Object.freeze(Object.keys(SHAPES));

/**
 * The message in the text, or null when it is none that a viewer knows: the server may be newer.
 *
 * @param {unknown} data
 * @returns {ServerMessage | null}
 */
export function parse(data) {
  const raw = decode(data);
  if (!raw || !Object.hasOwn(SHAPES, String(raw.type))) return null;
  const type = String(raw.type);
  const message = type === 'source' ? sourceFacts(raw) : shaped(raw, SHAPES[type]);
  if (!message) return null;
  if (type === 'joined') {
    message.source = sourceFacts(message.source);
    if (!message.source) return null;
  }
  return /** @type {ServerMessage} */ ({ type, ...message });
}

/** @param {unknown} data @returns {Record<string, unknown> | null} */
function decode(data) {
  try {
    const value = JSON.parse(String(data));
    return object(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {any} raw @param {Shape} shape @returns {Record<string, unknown> | null} */
function shaped(raw, shape) {
  /** @type {Record<string, unknown>} */
  const fields = {};
  for (const [name, [check, fallback]] of Object.entries(shape)) {
    const value = raw[name] === undefined ? fallback : raw[name];
    if (!check(value)) return null;
    fields[name] = value;
  }
  return fields;
}

/** @param {any} raw @returns {Record<string, unknown> | null} */
function sourceFacts(raw) {
  const facts = shaped(raw, SOURCE);
  if (facts) facts.legs = /** @type {string[]} */ (facts.legs).filter((leg) => LEGS.includes(leg));
  return facts;
}

/** @param {any} value @returns {boolean} */
function isIceServer(value) {
  return object(value) && listOf(text)(value.urls);
}
