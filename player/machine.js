/**
 * What a viewer does about everything that may happen, as one complete table.
 *
 * Events are facts in the past tense; effects are names that viewer.js performs. A pair that is
 * not in the table changes nothing, and a test walks them all.
 *
 * Two rules are behind it. Media that runs is never touched for the sake of signalling: `playing`
 * leaves only when media itself is gone, or when a member ended the session. And a connection on
 * which a join was refused is given up, because the server closes those that it did not admit.
 *
 * Media that has fallen silent is set aside, not closed. If its pictures return it is taken back,
 * unless we have another place by then: that one ended it at the server, and the new session goes on
 * to be made while the former shows its last.
 */

/**
 * @typedef {'idle' | 'joining' | 'waiting' | 'negotiating' | 'playing' | 'reconnecting'
 *   | 'ended'} State
 */
/**
 * @typedef {'started' | 'stopped' | 'welcomed' | 'unreachable' | 'disconnected' | 'cameraAwaited'
 *   | 'admitted' | 'retryDue' | 'refused' | 'rejected' | 'forgotten' | 'sessionEnded' | 'lapsed'
 *   | 'sentAway' | 'mediaConnected' | 'mediaSilent' | 'mediaReturned' | 'mediaLost' | 'incapable'} Event
 */
/**
 * @typedef {'join' | 'joinAgain' | 'redial' | 'resume' | 'hangUp' | 'openMedia' | 'closeMedia'
 *   | 'endSession' | 'move' | 'setAside' | 'keepAside' | 'takeBack' | 'letGo'} Effect
 */
/** @typedef {{ to: State, effects: readonly Effect[] }} Transition */

/** @type {readonly State[]} */
export const STATES = ['idle', 'joining', 'waiting', 'negotiating', 'playing', 'reconnecting', 'ended'];

/** @type {readonly Event[]} */
export const EVENTS = [
  'started', // somebody wants to watch
  'stopped', // nobody does any more
  'welcomed', // the rendezvous greeted a new connection
  'unreachable', // an attempt to connect failed; another follows by itself
  'disconnected', // a greeted connection was lost; another follows by itself
  'cameraAwaited', // the rendezvous: admitted, but the camera is away
  'admitted', // the rendezvous: you may offer
  'retryDue', // the pause before the next join is over
  'refused', // not now
  'rejected', // never, as things are
  'forgotten', // the rendezvous keeps our session no longer
  'sessionEnded', // it is over, for media too
  'lapsed', // our place is over: there was nothing to offer in time, as the camera is not live
  'sentAway', // the rendezvous will go: another connection may take this one's place
  'mediaConnected', // ICE and DTLS are through
  'mediaSilent', // nothing arrives any more, and nobody has said why
  'mediaReturned', // pictures arrive again on the connection that was set aside, and still is ours
  'mediaLost', // they are gone, or never came
  'incapable', // this browser cannot play what the camera sends
];

/** @type {(to: State, ...effects: Effect[]) => Transition} */
const go = (to, ...effects) => ({ to, effects });

/** While a join is under way; the difference between the two states is what people are told.
 * @type {(self: State) => Partial<Record<Event, Transition>>} */
const whileJoining = (self) => ({
  stopped: go('idle', 'hangUp'),
  welcomed: go(self, 'join'),
  retryDue: go(self, 'join'),
  cameraAwaited: go('waiting'),
  admitted: go('negotiating', 'openMedia'),
  refused: go(self, 'redial'),
  rejected: go('ended', 'hangUp'),
  mediaReturned: go('playing', 'takeBack'),
});

/** @type {Record<State, Partial<Record<Event, Transition>>>} */
const TABLE = {
  idle: {
    started: go('joining', 'join'),
    rejected: go('ended'),
  },
  joining: whileJoining('joining'),
  reconnecting: whileJoining('reconnecting'),
  waiting: {
    stopped: go('idle', 'hangUp'),
    disconnected: go('joining'),
    sentAway: go('waiting', 'move'),
    welcomed: go('waiting', 'join'),
    admitted: go('negotiating', 'openMedia'),
    // The server lets a viewer wait for 120 s and then has it ask again.
    refused: go('joining', 'joinAgain'),
    rejected: go('ended', 'hangUp'),
    mediaReturned: go('playing', 'takeBack'),
  },
  negotiating: {
    stopped: go('idle', 'endSession', 'closeMedia', 'hangUp'),
    // A session without an answer ends with its connection: begin anew instead of waiting.
    disconnected: go('reconnecting', 'closeMedia'),
    cameraAwaited: go('waiting', 'closeMedia'),
    admitted: go('negotiating', 'closeMedia', 'openMedia'),
    refused: go('reconnecting', 'closeMedia', 'redial'),
    rejected: go('ended', 'closeMedia', 'hangUp'),
    forgotten: go('reconnecting', 'closeMedia', 'joinAgain'),
    sessionEnded: go('reconnecting', 'closeMedia', 'joinAgain'),
    lapsed: go('negotiating', 'join'), // the server keeps a place for 30 s, so it is not asked often
    mediaConnected: go('playing', 'letGo'),
    mediaLost: go('reconnecting', 'endSession', 'closeMedia', 'joinAgain'),
    incapable: go('ended', 'endSession', 'closeMedia', 'hangUp'),
  },
  playing: {
    stopped: go('idle', 'endSession', 'closeMedia', 'hangUp'),
    sentAway: go('playing', 'move'),
    admitted: go('negotiating', 'keepAside', 'openMedia'), // by a join from when it was silent
    welcomed: go('playing', 'resume'),
    // Without a session this connection would be closed as never admitted; media needs none.
    forgotten: go('playing', 'hangUp'),
    sessionEnded: go('reconnecting', 'closeMedia', 'joinAgain'),
    mediaSilent: go('reconnecting', 'setAside', 'joinAgain'),
    mediaLost: go('reconnecting', 'endSession', 'closeMedia', 'joinAgain'),
    incapable: go('ended', 'endSession', 'closeMedia', 'hangUp'),
  },
  ended: {
    started: go('joining', 'join'),
    stopped: go('idle'),
  },
};

/**
 * @param {State} state
 * @param {Event} event
 * @returns {Transition}
 */
export function step(state, event) {
  return TABLE[state][event] ?? { to: state, effects: [] };
}

/** Refusals that trying again cannot mend. */
const FOR_GOOD = new Set([
  'malformed',
  'unknown_type',
  'message_too_large',
  'hello_first',
  'version_unsupported',
  'room_malformed',
  'tls_required',
]);

/**
 * The fact behind an error code; null when nothing has to be done about it.
 *
 * @param {string} code
 * @returns {Event | null}
 */
export function refusal(code) {
  if (code === 'session_unknown') return 'forgotten';
  if (code === 'too_many_candidates') return null; // those that fitted may well do
  return FOR_GOOD.has(code) ? 'rejected' : 'refused';
}

/**
 * The fact behind the reason of an `end`.
 *
 * `camera_gone` is the server's guess: the camera's signalling was away for too long, while its
 * pictures may well arrive. Every other reason comes from a member, or before there is media.
 *
 * @param {string} reason
 * @param {boolean} offered whether there was something to offer; else its end is nobody's fault
 * @returns {Event}
 */
export function ending(reason, offered = true) {
  if (reason === 'offer_timeout' && !offered) return 'lapsed';
  return reason === 'camera_gone' ? 'forgotten' : 'sessionEnded';
}
