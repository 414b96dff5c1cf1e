/**
 * A viewer without a face: performs what the machine decides, with signalling and one session.
 *
 * Everything that happens becomes an event of the machine (machine.js) in `#happened`; nothing
 * else changes its state. What people see is made from `view` by words.js.
 */

import { choose, likely, Trials } from './legs.js';
import { ending, refusal, step } from './machine.js';
import { joinProof, viewerVerifier } from './proof.js';
import { Retries } from './retries.js';
import { MediaSession } from './session.js';
import { Signalling } from './signalling.js';
import { consequences, NOTHING } from './view.js';
import * as wire from './wire.js';

/** @typedef {import('./view.js').View} View */
/**
 * @typedef {{
 *   show: (feed: import('./screen.js').Feed) => void,
 *   freeze: () => void,
 *   changed: (view: View) => void,
 *   measured: (figures: import('./stats.js').Figures) => void,
 * }} Face
 */

export class Viewer {
  /** @type {View} */
  #view = NOTHING;
  /** @type {wire.Joined | null} */
  #joined = null;
  /** @type {MediaSession | null} */
  #session = null;
  /** The session to come, whose offer is made while the server is asked. @type {MediaSession | null} */
  #draft = null;
  /** @type {import('./stats.js').Figures | null} */
  #figures = null;
  #retries = new Retries();
  #trials = new Trials();
  #retryAfter = 0; // ms
  /** @type {import('./view.js').Happening[]} */
  #events = [];

  /**
   * @param {string} url of the rendezvous, ws:// or wss://
   * @param {import('./link.js').Link} link
   * @param {Face} face
   * @param {wire.Leg | null} wish the leg that the page would rather have
   */
  constructor(url, { room, secret }, face, wish = null) {
    this.room = room;
    this.face = face;
    this.wish = wish;
    this.verifier = secret === null ? null : viewerVerifier(room, secret);
    this.signalling = new Signalling(url, {
      welcomed: () => this.#happened('welcomed'),
      message: (message) => this.#told(message),
      lost: (wasWelcome) => this.#cutOff(wasWelcome),
      sentAway: () => this.#happened('sentAway'),
    });
  }

  get view() {
    return this.#view;
  }

  /** Joins, and keeps at it until `stop`. */
  start() {
    this.#trials = new Trials();
    // Switched off, or a very old browser.
    const missing = !('RTCPeerConnection' in globalThis);
    if (missing) this.#happened('rejected', { code: 'no_webrtc', message: '' });
    else this.#happened('started');
  }

  /** Leaves the room, politely. Idempotent. */
  stop() {
    this.#happened('stopped', { code: 'left', message: '' });
  }

  /** The first picture of this session was shown. */
  pictured() {
    this.#retries.reset();
    this.#update({ picture: true, stalled: false });
  }

  /** The figures of the last second; null without a session. */
  get figures() {
    return this.#figures;
  }

  // ── facts ──────────────────────────────────────────────────────────────────────────────────

  /** @param {wire.ServerMessage} message */
  #told(message) {
    if (message.type === 'source') this.#sourceChanged(message);
    else if (message.type === 'waiting') this.#happened('cameraAwaited');
    else if (message.type === 'joined') this.#admitted(message);
    else if (message.type === 'error') this.#refused(message);
    else if ('session' in message && message.session === this.#joined?.session) this.#ofSession(message);
  }

  /** @param {wire.Source} source */
  #sourceChanged(source) {
    this.#update({ source });
    if (source.state !== 'live') return;
    const { leg } = this.#session ?? {};
    if (this.#view.state === 'negotiating' && !leg) this.#openMedia(source);
    // The camera ends sessions too that it cannot serve any more; this is the faster way.
    else if (leg && !source.legs.includes(leg)) this.#mediaLost('format_changed');
  }

  /**
   * Media is often faster than signalling: the end of a session that is closed already still says
   * why it closed.
   *
   * @param {wire.ServerMessage} message
   */
  #ofSession(message) {
    if (message.type === 'answer') this.#session?.answered(message.sdp);
    else if (message.type === 'candidate') this.#session?.candidate(message.candidate);
    else if (message.type === 'end') {
      const { reason: code, message: sentence } = message;
      this.#happened(ending(code, this.#session !== null), { code, message: sentence });
    }
  }

  /** @param {wire.Joined} joined */
  #admitted(joined) {
    if (this.#view.state === 'playing') return; // media that runs is not given up for a new place
    this.#joined = joined;
    this.#happened('admitted');
  }

  /** @param {wire.Refusal} error */
  #refused({ code, message, session, retry_after }) {
    if (session && session !== this.#joined?.session) return;
    const event = refusal(code);
    this.#retryAfter = 1000 * (retry_after ?? 0);
    if (event) this.#happened(event, { code, message });
  }

  /** @param {boolean} wasWelcome */
  #cutOff(wasWelcome) {
    const code = wasWelcome ? 'server_lost' : unreachable(this.signalling.url);
    this.#happened(wasWelcome ? 'disconnected' : 'unreachable', { code, message: '' });
  }

  /**
   * Takes the event in, after those before it: an effect, or whoever listens to `changed`, may
   * bring about the next one.
   *
   * @param {import('./machine.js').Event} event
   * @param {import('./view.js').Reason | null} reason
   */
  #happened(event, reason = null) {
    this.#events.push({ event, reason });
    if (this.#events.length > 1) return;
    for (; this.#events.length > 0; this.#events.shift()) this.#take(this.#events[0]);
  }

  /** @param {import('./view.js').Happening} happening */
  #take(happening) {
    const from = this.#view.state;
    const { to, effects } = step(from, happening.event);
    for (const effect of effects) this.#perform[effect](happening.reason?.code ?? '');
    const closed = effects.includes('closeMedia') ? { picture: false, stalled: false } : {};
    const opened = effects.includes('openMedia') ? { source: this.#joined?.source ?? null } : {};
    this.#update({ state: to, ...closed, ...opened, ...consequences(from, to, happening) });
  }

  // ── effects ────────────────────────────────────────────────────────────────────────────────

  /** @type {Record<import('./machine.js').Effect, (reason: string) => void>} */
  #perform = {
    join: () => this.#join(),
    joinAgain: () => this.#retries.plan(() => this.#happened('retryDue')),
    move: () => this.signalling.move(),
    redial: () => this.signalling.redial(this.#retries.pause(this.#retryAfter)),
    resume: () => this.#resume(),
    hangUp: () => this.#hangUp(),
    openMedia: () => this.#joined && this.#openMedia(this.#joined.source),
    closeMedia: () => this.#closeMedia(),
    endSession: (reason) => this.#endSession(reason),
  };

  #join() {
    this.#retries.cancel();
    const leg = likely(this.wish);
    if (leg) this.#prepare(leg);
    const { welcome } = this.signalling;
    if (!welcome) return this.#dial();
    const proof = this.verifier && joinProof(this.verifier, { ...welcome, room: this.room });
    this.signalling.send(wire.join(this.room, proof));
  }

  #dial() {
    try {
      this.signalling.dial();
    } catch {
      // A page over https may not open ws:, and an address may be none at all (WebSockets §3.1).
      this.#happened('rejected', { code: 'server_forbidden', message: '' });
    }
  }

  #resume() {
    if (!this.#joined) return;
    const { session, secret } = this.#joined;
    this.signalling.send(wire.resume(session, secret, this.room));
  }

  #hangUp() {
    this.#retries.cancel();
    this.signalling.hangUp();
    this.#draft?.close();
    this.#draft = null;
  }

  /** Opens the leg that fits; none yet when the camera has not shown what it sends.
   * @param {wire.SourceFacts} source */
  #openMedia(source) {
    this.#retries.cancel();
    const choice = choose(source, this.wish, this.#trials.able);
    if (choice && 'lack' in choice) this.#happened('incapable', { code: choice.lack, message: '' });
    else if (choice) this.#openSession(choice.leg);
  }

  /** @param {wire.Leg} leg */
  #openSession(leg) {
    this.signalling.stay();
    this.#prepare(leg);
    this.#session = this.#draft;
    this.#draft = null;
    if (!this.#session) return this.#mediaLost('offer_failed');
    void this.#session.open(/** @type {wire.Joined} */ (this.#joined));
  }

  /** @param {wire.Leg} leg */
  #prepare(leg) {
    if (this.#draft?.leg === leg) return;
    this.#draft?.close();
    try {
      this.#draft = this.#newSession(leg);
    } catch {
      this.#draft = null; // browsers have only so many connections
    }
  }

  /** @param {wire.Leg} leg */
  #newSession(leg) {
    return new MediaSession(leg, {
      say: (message) => this.signalling.send(message),
      show: (feed) => this.face.show(feed),
      connected: () => this.#happened('mediaConnected'),
      measured: (told, stalled) => this.#measured(told, stalled),
      incapable: () => this.#incapable(leg),
      lost: (code) => this.#mediaLost(code),
    });
  }

  /** Another leg may do, in another session. @param {wire.Leg} leg */
  #incapable(leg) {
    const source = this.#view.source ?? /** @type {wire.Joined} */ (this.#joined).source;
    this.#trials.failed(leg, source);
    const choice = choose(source, this.wish, this.#trials.able);
    const over = choice !== null && 'lack' in choice;
    this.#happened(over ? 'incapable' : 'mediaLost', { code: 'no_decoder', message: '' });
  }

  /** @param {string} code */
  #mediaLost(code) {
    this.#happened('mediaLost', { code, message: '' });
  }

  #closeMedia() {
    this.face.freeze();
    this.#session?.close();
    this.#session = this.#figures = null;
  }

  /** @param {string} reason */
  #endSession(reason) {
    if (this.#joined) this.signalling.send(wire.end(this.#joined.session, reason));
  }

  /** @param {import('./stats.js').Figures} told @param {boolean} stalled */
  #measured(told, stalled) {
    this.#figures = told;
    this.#update({ stalled });
    this.face.measured(told);
  }

  /** @param {Partial<View>} facts */
  #update(facts) {
    const changed = Object.entries(facts).some(([k, v]) => this.#view[/** @type {keyof View} */ (k)] !== v);
    if (!changed) return;
    this.#view = { ...this.#view, ...facts };
    this.face.changed(this.#view);
  }
}

/**
 * A server refuses pages of origins that it was not told of with 403. The WebSockets Standard
 * keeps that from scripts: to them it is like a server that is not there.
 *
 * @param {string} url
 */
const unreachable = (url) =>
  new URL(url).host === location.host ? 'server_unreachable' : 'server_elsewhere_unreachable';
