/** What there is to say about a viewer, and how an event changes it. words.js makes it sentences. */

/** @typedef {{ code: string, message: string }} Reason */
/**
 * @typedef {{
 *   state: import('./machine.js').State,
 *   reason: Reason | null,
 *   source: import('./wire.js').SourceFacts | null,
 *   picture: boolean,
 *   stalled: boolean,
 * }} View `picture`: this session has shown one, or took over from one that did. `source`: null when
 * nobody tells us.
 */
/** @typedef {{ event: import('./machine.js').Event, reason: Reason | null }} Happening */

/** @type {View} */
export const NOTHING = Object.freeze({
  state: 'idle',
  reason: null,
  source: null,
  picture: false,
  stalled: false,
});

/**
 * What an event that led to a state says about the rest. A reason stays until another one comes,
 * so that the pauses between attempts are explained.
 *
 * @param {import('./machine.js').State} from
 * @param {import('./machine.js').State} to
 * @param {Happening} happening
 * @returns {Partial<View>}
 */
export function consequences(from, to, { event, reason }) {
  if (event === 'started') return { reason: null, source: null };
  if (from === 'ended' || event === 'lapsed') return {};
  if (from === 'waiting' && event === 'refused') return { reason: null };
  if (to === 'waiting') return { source: null, ...(reason && { reason }) };
  if (to === 'playing') return { reason: null, ...(UNHEARD.has(event) && { source: null }) };
  return reason ? { reason } : {};
}

/** While signalling was away the camera may have changed: then only the picture tells the truth. */
const UNHEARD = new Set(['welcomed', 'forgotten', 'mediaReturned']);
