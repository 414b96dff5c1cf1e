/**
 * A viewer without a face: performs what the machine decides, with signalling and one session.
 *
 * Everything that happens becomes an event of the machine (machine.js) in `#happened`; nothing
 * else changes its state. What people see is made from `view` by words.js.
 */

import { Aside } from './aside.js';
import { choose, likely, Trials } from './legs.js';
import { ending, refusal, step } from './machine.js';
import { isOffline, NetworkWatch } from './network.js';
import { Place } from './place.js';
import { Retries } from './retries.js';
import { MediaSession } from './session.js';
import { Signalling } from './signalling.js';
import { consequences, NOTHING } from './view.js';
import * as wire from './wire.js';

const CONNECT_WITHIN = 15_000; // ms from the offer to a path
const RECONNECT_WITHIN = 7_000; // ms; there was one before, and a network that returns may be missed

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
  /** @type {MediaSession | null} */
  #session = null;
  /** The session to come, whose offer is made while the server is asked. @type {MediaSession | null} */
  #draft = null;
  /** The one that fell silent: it is taken back if its pictures come first. */
  #aside = new Aside((feed) => this.face.show(feed));
  #connectedOnce = false;
  #network = new NetworkWatch(() => this.#networkChanged());
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
  constructor(url, link, face, wish = null) {
    this.face = face;
    this.wish = wish;
    this.signalling = new Signalling(url, {
      welcomed: () => this.#welcomed(),
      message: (message) => this.#told(message),
      lost: (wasWelcome) => this.#cutOff(wasWelcome),
      sentAway: () => this.#happened('sentAway'),
    });
    this.place = new Place(this.signalling, link);
  }

  get view() {
    return this.#view;
  }

  /** Joins, and keeps at it until `stop`. */
  start() {
    this.#trials = new Trials();
    // Switched off, or a very old browser.
    const missing = !('RTCPeerConnection' in globalThis);
    if (missing) return this.#happened('rejected', { code: 'no_webrtc', message: '' });
    this.#network.start();
    this.#happened('started');
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
    else if (message.type === 'waiting') this.#awaited();
    else if (message.type === 'resumed') this.place.resumed();
    else if (message.type === 'joined') this.#admitted(message);
    else if (message.type === 'error') this.#refused(message);
    else if ('session' in message && message.session === this.place.joined?.session) this.#ofSession(message);
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
    else if (message.type === 'end') this.#sessionEnded(message);
  }

  /** @param {wire.End} end */
  #sessionEnded({ reason: code, message }) {
    this.place.lost();
    const event = ending(code, this.#session !== null);
    if (event === 'sessionEnded') this.#aside.letGo();
    this.#happened(event, { code, message });
  }

  #awaited() {
    this.place.lost();
    this.#happened('cameraAwaited');
  }

  /** Two signs at once, a mute path and a server that had to be dialled anew, leave little doubt. */
  #welcomed() {
    if (this.#session && this.#session.feeling !== 'well') this.#silent();
    this.#happened('welcomed');
  }

  #networkChanged() {
    this.#session?.hint();
    this.signalling.doubt();
    if (this.#view.state !== 'negotiating') this.#retries.hurry();
  }

  /** @param {MediaSession} session @param {import('./pulse.js').Feeling} feeling */
  #felt(session, feeling) {
    const away = session === this.#aside.session;
    if (away && feeling === 'well') this.#happened('mediaReturned');
    else if (!away && feeling === 'silent') this.#silent();
    else if (!away && feeling === 'doubtful') this.signalling.doubt();
  }

  #silent() {
    const code = isOffline() ? 'offline' : 'media_silent';
    this.#happened('mediaSilent', { code, message: '' });
  }

  /** @param {wire.Joined} joined */
  #admitted(joined) {
    if (this.#view.state === 'playing') return; // media that runs is not given up for a new place
    this.place.given(joined);
    this.#happened('admitted');
  }

  /** @param {wire.Refusal} error */
  #refused({ code, message, session, retry_after }) {
    if (session && session !== this.place.joined?.session) return;
    const event = refusal(code);
    if (event === 'forgotten') this.place.lost();
    this.#retryAfter = 1000 * (retry_after ?? 0);
    if (event) this.#happened(event, { code, message });
  }

  /** @param {boolean} wasWelcome */
  #cutOff(wasWelcome) {
    const lost = wasWelcome ? 'server_lost' : unreachable(this.signalling.url);
    const code = isOffline() ? 'offline' : lost;
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
    const gone = effects.includes('closeMedia') || effects.includes('setAside');
    const closed = gone ? { picture: false, stalled: false } : {};
    const opened = effects.includes('openMedia') ? { source: this.place.joined?.source ?? null } : {};
    this.#update({ state: to, ...closed, ...opened, ...consequences(from, to, happening) });
  }

  // ── effects ────────────────────────────────────────────────────────────────────────────────

  /** @type {Record<import('./machine.js').Effect, (reason: string) => void>} */
  #perform = {
    join: () => this.#join(),
    joinAgain: () => this.#retries.plan(() => this.#happened('retryDue')),
    move: () => this.signalling.move(),
    redial: () => this.signalling.redial(this.#retries.pause(this.#retryAfter)),
    resume: () => this.place.resume(),
    hangUp: () => this.#hangUp(),
    openMedia: () => this.place.joined && this.#openMedia(this.place.joined.source),
    closeMedia: () => this.#closeMedia(),
    setAside: () => this.#setAside(),
    takeBack: () => this.#takeBack(),
    letGo: () => this.#aside.letGo(),
    endSession: (reason) => this.place.end(reason),
  };

  #join() {
    this.#retries.cancel();
    const leg = likely(this.wish);
    if (leg) this.#prepare(leg);
    const { welcome } = this.signalling;
    if (welcome) this.place.join(welcome);
    else this.#dial();
  }

  #dial() {
    try {
      this.signalling.dial();
    } catch {
      // A page over https may not open ws:, and an address may be none at all (WebSockets §3.1).
      this.#happened('rejected', { code: 'server_forbidden', message: '' });
    }
  }

  #hangUp() {
    this.#retries.cancel();
    this.signalling.hangUp();
    this.#draft?.close();
    this.#draft = null;
    this.place.lost();
    this.#aside.dismiss();
    this.#aside.letGo();
    if (!this.#session) this.#network.stop();
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
    const within = this.#connectedOnce ? RECONNECT_WITHIN : CONNECT_WITHIN;
    void this.#session.open(/** @type {wire.Joined} */ (this.place.joined), within);
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
    /** @type {MediaSession} */
    const session = new MediaSession(leg, {
      say: (message) => this.signalling.send(message),
      show: (feed) => this.#aside.present(feed),
      connected: () => this.#connected(),
      felt: (feeling) => this.#felt(session, feeling),
      measured: (told, stalled) => session === this.#session && this.#measured(told, stalled),
      incapable: () => this.#incapable(leg),
      lost: (code) => (session === this.#aside.session ? this.#aside.letGo() : this.#mediaLost(code)),
    });
    return session;
  }

  #connected() {
    this.#connectedOnce = true;
    this.#happened('mediaConnected');
  }

  /** Another leg may do, in another session. @param {wire.Leg} leg */
  #incapable(leg) {
    const source = this.#view.source ?? /** @type {wire.Joined} */ (this.place.joined).source;
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
    this.#aside.dismiss();
    this.#session = this.#figures = null;
  }

  #setAside() {
    this.face.freeze();
    this.#aside.put(this.#session);
    this.#session = this.#figures = null;
  }

  /** The session that took its place with the server, if there is one, is not ours any more. */
  #takeBack() {
    this.#retries.cancel();
    this.#session = this.#aside.takeBack();
    this.place.joined = this.#session.joined;
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
