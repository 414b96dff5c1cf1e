/**
 * A viewer without a face: performs what the machine decides, with signalling and one session.
 *
 * Everything that happens becomes an event of the machine (machine.js) in `#happened`; nothing
 * else changes its state. What people see is made from `view` by words.js.
 */

import { Backoff } from './backoff.js';
import { refusal, step } from './machine.js';
import { joinProof, viewerVerifier } from './proof.js';
import { lacking, MediaSession } from './session.js';
import { Signalling } from './signalling.js';
import { figures } from './stats.js';
import { FrameWatch } from './watch.js';
import * as wire from './wire.js';

const FIRST_RETRY = 1_000; // ms; a refused join is asked again, gently
const LONGEST_RETRY = 5_000; // ms
const MEASURE_EVERY = 1_000; // ms

/** @typedef {{ code: string, message: string }} Reason */
/**
 * @typedef {{
 *   state: import('./machine.js').State,
 *   reason: Reason | null,
 *   source: wire.SourceFacts | null,
 *   picture: boolean,
 *   stalled: boolean,
 * }} View What there is to say. `picture`: this session has shown one.
 */
/**
 * @typedef {{
 *   show: (stream: MediaStream) => void,
 *   freeze: () => void,
 *   changed: (view: View) => void,
 *   measured: (figures: import('./stats.js').Figures) => void,
 * }} Face
 */

export class Viewer {
  /** @type {View} */
  #view = { state: 'idle', reason: null, source: null, picture: false, stalled: false };
  /** @type {wire.Joined | null} */
  #joined = null;
  /** @type {MediaSession | null} */
  #session = null;
  /** @type {import('./stats.js').Report | null} */
  #report = null;
  /** @type {import('./stats.js').Figures | null} */
  #figures = null;
  #watch = new FrameWatch(0);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #meter;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #retries = new Backoff(FIRST_RETRY, LONGEST_RETRY);
  /** The first attempt after a loss does not wait. */
  #atOnce = true;
  #retryAfter = 0;
  /** @type {{ event: import('./machine.js').Event, reason: Reason | null }[]} */
  #events = [];

  /**
   * @param {string} url of the rendezvous, ws:// or wss://
   * @param {import('./link.js').Link} link
   * @param {Face} face
   */
  constructor(url, { room, secret }, face) {
    this.room = room;
    this.face = face;
    this.verifier = secret === null ? null : viewerVerifier(room, secret);
    this.signalling = new Signalling(url, {
      welcomed: () => this.#happened('welcomed'),
      message: (message) => this.#told(message),
      lost: (wasWelcome) => this.#cutOff(wasWelcome),
    });
  }

  get view() {
    return this.#view;
  }

  /** Joins, and keeps at it until `stop`. */
  start() {
    const missing = lacking();
    if (missing) this.#happened('rejected', { code: missing, message: '' });
    else this.#happened('started');
  }

  /** Leaves the room, politely. Idempotent. */
  stop() {
    this.#happened('stopped', { code: 'left', message: '' });
  }

  /** The first picture of this session was shown. */
  pictured() {
    this.#atOnce = true;
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
    if (message.type === 'source') this.#update({ source: message });
    else if (message.type === 'waiting') this.#happened('cameraAwaited');
    else if (message.type === 'joined') this.#admitted(message);
    else if (message.type === 'error') this.#refused(message);
    else if ('session' in message && message.session === this.#joined?.session) this.#ofSession(message);
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
      this.#happened('sessionEnded', { code: message.reason, message: message.message });
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
    if (session && session !== this.#session?.id) return;
    const event = refusal(code);
    this.#retryAfter = 1000 * (retry_after ?? 0);
    if (event) this.#happened(event, { code, message });
  }

  /** @param {boolean} wasWelcome */
  #cutOff(wasWelcome) {
    const code = wasWelcome ? 'server_lost' : 'server_unreachable';
    this.#happened(wasWelcome ? 'disconnected' : 'unreachable', { code, message: '' });
  }

  /**
   * Takes the event in, after those before it: an effect, or whoever listens to `changed`, may
   * bring about the next one.
   *
   * @param {import('./machine.js').Event} event
   * @param {Reason | null} reason
   */
  #happened(event, reason = null) {
    this.#events.push({ event, reason });
    if (this.#events.length > 1) return;
    for (; this.#events.length > 0; this.#events.shift()) this.#take(this.#events[0]);
  }

  /** @param {{ event: import('./machine.js').Event, reason: Reason | null }} what */
  #take({ event, reason }) {
    const from = this.#view.state;
    const { to, effects } = step(from, event);
    for (const effect of effects) this.#perform[effect](reason?.code ?? '');
    const closed = effects.includes('closeMedia') ? { picture: false, stalled: false } : {};
    this.#update({ state: to, ...closed, ...this.#because(from, to, event, reason) });
  }

  /**
   * What to tell people with the new state. A reason stays until another state is reached, so
   * that the pauses between attempts are explained.
   *
   * @param {import('./machine.js').State} from
   * @param {import('./machine.js').State} to
   * @param {import('./machine.js').Event} event
   * @param {Reason | null} reason
   */
  #because(from, to, event, reason) {
    if (from === 'waiting' && event === 'refused') return { reason: null };
    if (from === 'ended' && event !== 'started') return {};
    if (event === 'started') return { reason: null, source: null };
    if (to === 'waiting') return { source: null, ...(reason && { reason }) };
    if (to === 'playing') return { reason: null };
    if (event === 'admitted') return { source: this.#joined?.source ?? null };
    return reason ? { reason } : {};
  }

  // ── effects ────────────────────────────────────────────────────────────────────────────────

  /** @type {Record<import('./machine.js').Effect, (reason: string) => void>} */
  #perform = {
    join: () => this.#join(),
    joinAgain: () => this.#joinAgain(),
    redial: () => this.signalling.redial(Math.max(this.#retryAfter, this.#retries.next())),
    resume: () => this.#resume(),
    hangUp: () => this.#hangUp(),
    openMedia: () => this.#openMedia(),
    closeMedia: () => this.#closeMedia(),
    endSession: (reason) => this.#endSession(reason),
  };

  #join() {
    clearTimeout(this.#retry);
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

  #joinAgain() {
    const pause = this.#atOnce ? 0 : this.#retries.next();
    this.#atOnce = false;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#happened('retryDue'), pause);
  }

  #resume() {
    if (!this.#joined) return;
    const { session, secret } = this.#joined;
    this.signalling.send(wire.resume(session, secret, this.room));
  }

  #hangUp() {
    clearTimeout(this.#retry);
    this.signalling.hangUp();
  }

  #openMedia() {
    if (!this.#joined) return;
    clearTimeout(this.#retry);
    this.#session = new MediaSession(this.#joined, {
      say: (message) => this.signalling.send(message),
      stream: (stream) => this.face.show(stream),
      connected: () => this.#connected(),
      lost: (code) => this.#happened('mediaLost', { code, message: '' }),
    });
    void this.#session.open();
  }

  #connected() {
    this.#watch = new FrameWatch(performance.now());
    this.#meter = setInterval(() => void this.#measure(), MEASURE_EVERY);
    void this.#measure();
    this.#happened('mediaConnected');
  }

  #closeMedia() {
    clearInterval(this.#meter);
    this.face.freeze();
    this.#session?.close();
    this.#session = this.#report = this.#figures = null;
  }

  /** @param {string} reason */
  #endSession(reason) {
    if (this.#session) this.signalling.send(wire.end(this.#session.id, reason));
  }

  async #measure() {
    const session = this.#session;
    const report = /** @type {import('./stats.js').Report | undefined} */ (await session?.report());
    if (!report || session !== this.#session) return;
    this.#figures = figures(this.#report, report);
    this.#report = report;
    this.#update({ stalled: this.#watch.stalled(this.#figures.frames, performance.now()) });
    this.face.measured(this.#figures);
  }

  /** @param {Partial<View>} facts */
  #update(facts) {
    const changed = Object.entries(facts).some(([k, v]) => this.#view[/** @type {keyof View} */ (k)] !== v);
    if (!changed) return;
    this.#view = { ...this.#view, ...facts };
    this.face.changed(this.#view);
  }
}
