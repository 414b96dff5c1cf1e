/**
 * A viewer without a face: performs what the machine decides, with signalling and sessions.
 *
 * Everything that happens becomes an event of the machine (machine.js), on its course (course.js).
 * What people see is made from `view` by words.js.
 */

import { Course } from './course.js';
import { choose, likely, Trials } from './legs.js';
import { ending, refusal } from './machine.js';
import { absence, isOffline, NetworkWatch } from './network.js';
import { Place } from './place.js';
import { Retries } from './retries.js';
import { Sessions } from './sessions.js';
import { Signalling } from './signalling.js';
import * as wire from './wire.js';

/** @typedef {import('./machine.js').Effect} Effect */
/** @typedef {import('./view.js').View} View */
/**
 * @typedef {{
 *   show: (feed: import('./screen.js').Feed) => void,
 *   freeze: () => void,
 *   changed: (view: View) => void,
 *   measured: (figures: import('./stats.js').Figures) => void,
 * }} Face
 */

/** What takes the picture away, unless it is that of a former session. @type {ReadonlySet<Effect>} */
const TAKES_PICTURE = new Set(['closeMedia', 'setAside']);

export class Viewer {
  #course;
  #sessions;
  #network = new NetworkWatch(() => this.#networkChanged());
  /** @type {import('./stats.js').Figures | null} */
  #figures = null;
  #retries = new Retries();
  #trials = new Trials();
  #retryAfter = 0; // ms

  /**
   * @param {string} url of the rendezvous, ws:// or wss://
   * @param {import('./link.js').Link} link
   * @param {Face} face
   * @param {wire.Leg | null} wish the leg that the page would rather have
   */
  constructor(url, link, face, wish = null) {
    this.face = face;
    this.wish = wish;
    this.#course = new Course({
      perform: this.#perform,
      left: (effects) => this.#left(effects),
      changed: (view) => this.face.changed(view),
    });
    this.signalling = new Signalling(url, {
      welcomed: () => this.#welcomed(),
      message: (message) => this.#told(message),
      lost: (wasWelcome) => this.#cutOff(wasWelcome),
      sentAway: () => this.#happened('sentAway'),
    });
    this.place = new Place(this.signalling, link);
    this.#sessions = new Sessions(face, {
      say: (message) => this.signalling.send(message),
      connected: () => this.#happened('mediaConnected'),
      doubtful: () => this.signalling.doubt(),
      silent: () => this.#silent(),
      returned: (joined) => this.#returned(joined),
      faded: () => this.#course.update({ picture: false }),
      measured: (told, stalled) => this.#measured(told, stalled),
      incapable: (leg) => this.#incapable(leg),
      lost: (code) => this.#mediaLost(code),
    });
  }

  get view() {
    return this.#course.view;
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
    this.#course.update({ picture: true, stalled: false });
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
    this.#course.update({ source });
    if (source.state !== 'live') return;
    const { leg } = this.#sessions.current ?? {};
    if (this.view.state === 'negotiating' && !leg) this.#openMedia(source);
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
    const { current } = this.#sessions;
    if (message.type === 'answer') current?.answered(message.sdp);
    else if (message.type === 'candidate') current?.candidate(message.candidate);
    else if (message.type === 'end') this.#sessionEnded(message);
  }

  /** @param {wire.End} end */
  #sessionEnded({ session, reason: code, message }) {
    this.place.lost();
    const event = ending(code, this.#sessions.current !== null);
    if (event === 'sessionEnded') this.#sessions.over(session);
    this.#happened(event, { code, message });
  }

  #awaited() {
    this.place.lost();
    this.#happened('cameraAwaited');
  }

  /** Two signs at once, a mute path and a server that had to be dialled anew, leave little doubt. */
  #welcomed() {
    if (this.#sessions.current?.mute) this.#silent();
    this.#happened('welcomed');
  }

  #networkChanged() {
    this.#sessions.hint();
    this.signalling.doubt();
    if (this.view.state !== 'negotiating') this.#retries.hurry();
  }

  /**
   * Another place ended its session at the server: its pictures are welcome for as long as they come.
   *
   * @param {wire.Joined | null} joined
   */
  #returned(joined) {
    if (joined === this.place.joined) this.#happened('mediaReturned');
    else this.#sessions.reveal();
  }

  #silent() {
    const code = isOffline() ? 'offline' : 'media_silent';
    this.#happened('mediaSilent', { code, message: '' });
  }

  /** @param {wire.Joined} joined */
  #admitted(joined) {
    this.place.given(joined);
    this.#happened('admitted');
  }

  /** @param {wire.Refusal} error */
  #refused({ code, message, session, retry_after }) {
    if (session && session !== this.place.joined?.session) return;
    const event = refusal(code);
    this.#retryAfter = 1000 * (retry_after ?? 0);
    if (event === 'forgotten') this.#forgotten();
    else if (event) this.#happened(event, { code, message });
  }

  /** What the server says of a session that is over is no reason: why it is over was said before. */
  #forgotten() {
    this.place.lost();
    this.#happened('forgotten');
  }

  /** @param {boolean} wasWelcome */
  #cutOff(wasWelcome) {
    const code = absence(this.signalling.url, wasWelcome);
    this.#happened(wasWelcome ? 'disconnected' : 'unreachable', { code, message: '' });
  }

  /**
   * @param {import('./machine.js').Event} event
   * @param {import('./view.js').Reason | null} reason
   */
  #happened(event, reason = null) {
    this.#course.happened(event, reason);
  }

  // ── effects ────────────────────────────────────────────────────────────────────────────────

  /** @type {Record<Effect, (reason: string) => void>} */
  #perform = {
    join: () => this.#join(),
    joinAgain: () => this.#retries.plan(() => this.#happened('retryDue')),
    move: () => this.signalling.move(),
    redial: () => this.signalling.redial(this.#retries.pause(this.#retryAfter)),
    resume: () => this.place.resume(),
    hangUp: () => this.#hangUp(),
    openMedia: () => this.place.joined && this.#openMedia(this.place.joined.source),
    closeMedia: () => this.#withoutFigures().close(),
    setAside: () => this.#withoutFigures().setAside(),
    keepAside: () => this.#withoutFigures().keepAside(),
    takeBack: () => this.#takeBack(),
    letGo: () => this.#sessions.letGo(),
    endSession: (reason) => this.place.end(reason),
  };

  #join() {
    this.#retries.cancel();
    const { welcome } = this.signalling;
    if (welcome) this.place.join(welcome);
    else this.#dial();
    const leg = likely(this.wish); // the server is asked meanwhile
    if (leg) this.#sessions.prepare(leg);
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
    this.#sessions.clear();
    this.place.lost();
    if (!this.#sessions.current) this.#network.stop();
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
    this.#sessions.open(leg, /** @type {wire.Joined} */ (this.place.joined));
  }

  /** Another leg may do, in another session. @param {wire.Leg} leg */
  #incapable(leg) {
    const source = this.view.source ?? /** @type {wire.Joined} */ (this.place.joined).source;
    this.#trials.failed(leg, source);
    const choice = choose(source, this.wish, this.#trials.able);
    const over = choice !== null && 'lack' in choice;
    this.#happened(over ? 'incapable' : 'mediaLost', { code: 'no_decoder', message: '' });
  }

  /** @param {string} code */
  #mediaLost(code) {
    this.#happened('mediaLost', { code, message: '' });
  }

  /** Those of the session in use, which will not be any more. */
  #withoutFigures() {
    this.#figures = null;
    return this.#sessions;
  }

  /** The session that took its place with the server, if there is one, is not ours any more. */
  #takeBack() {
    this.#retries.cancel();
    this.place.joined = this.#sessions.takeBack();
  }

  /** @param {import('./stats.js').Figures} told @param {boolean} stalled */
  #measured(told, stalled) {
    this.#figures = told;
    this.#course.update({ stalled });
    this.face.measured(told);
  }

  /** What its effects have left of the picture, and who tells us of the camera.
   * @param {readonly Effect[]} effects @returns {Partial<View>} */
  #left(effects) {
    const { current, showsFormer } = this.#sessions;
    const gone = !showsFormer && (!current || effects.some((effect) => TAKES_PICTURE.has(effect)));
    const opened = effects.includes('openMedia') && { source: this.place.joined?.source ?? null };
    return { ...(gone && { picture: false, stalled: false }), ...opened };
  }
}
