/**
 * <porthole-player server="https://host:4545" room="MyRoom" secret="…">: a camera in a page.
 *
 * Attributes: `server` (default: where this file came from), `room`, `secret` (taken out of the
 * page's markup as soon as it was read), `controls="off"`, and `muted`, which is for pages where
 * nobody should be asked to turn the sound on. Sound is always off at first: browsers demand it.
 * `audio="aac"` asks for the camera's own sound, a quarter of a second later; `leg="rtp"` or
 * `leg="fmp4"` for one way of delivery. What the camera cannot do is not insisted upon.
 *
 * Properties: `room`, `secret`, `muted`, `state`, `words`, `video`. Methods: `start()`, `stop()`,
 * `stats()`. Events: `porthole-state` (detail: state, chip, title, detail, tone) and
 * `porthole-error` (detail: code, title, detail) when only a person can help.
 */

import { Stage } from './stage.js';
import { NOTHING } from './view.js';
import { Viewer } from './viewer.js';

/** @typedef {import('./words.js').Words} Words */

export class PortholePlayer extends HTMLElement {
  static observedAttributes = ['server', 'room', 'secret', 'leg', 'audio', 'controls', 'muted'];

  #stage = new Stage(this.attachShadow({ mode: 'open' }), {
    pictured: () => this.#viewer?.pictured(),
    changed: () => this.#refresh(),
    again: () => this.start(),
    said: (words, view) => this.#said(words, view),
  });
  /** @type {Viewer | null} */
  #viewer = null;
  /** @type {string | null} */
  #secret = null;
  /** @type {Words | null} */
  #words = null;
  /** Whether the page wants to watch: true until it says `stop`, whatever comes in between. */
  #wanted = true;
  #restarting = false;

  constructor() {
    super();
    this.#refresh();
  }

  // ── for the page ───────────────────────────────────────────────────────────────────────────

  get room() {
    return this.getAttribute('room') ?? '';
  }

  set room(room) {
    this.setAttribute('room', room);
  }

  /** Written, never read back: whoever holds it may watch. @param {string | null} secret */
  set secret(secret) {
    if (secret === this.#secret) return;
    this.#secret = secret;
    this.#restart();
  }

  get muted() {
    return this.#stage.video.muted;
  }

  set muted(muted) {
    this.#stage.video.muted = muted;
  }

  get state() {
    return this.#viewer?.view.state ?? 'idle';
  }

  /** What the player says right now. */
  get words() {
    return this.#words;
  }

  get video() {
    return this.#stage.video;
  }

  /** The figures of the last second; null while nothing is measured. */
  stats() {
    return this.#viewer?.figures ?? null;
  }

  /** Begins to watch as soon as there is a room; begins anew when it had ended. */
  start() {
    this.#wanted = true;
    this.#begin();
  }

  /** Leaves the room until `start`; the last picture stays. Idempotent. */
  stop() {
    this.#wanted = false;
    this.#leave();
  }

  // ── for the browser ────────────────────────────────────────────────────────────────────────

  connectedCallback() {
    addEventListener('pagehide', this.#hidden);
    addEventListener('pageshow', this.#shown);
    this.#restart();
  }

  disconnectedCallback() {
    removeEventListener('pagehide', this.#hidden);
    removeEventListener('pageshow', this.#shown);
    this.#leave();
    this.#stage.screen.clear();
  }

  /** @param {string} name @param {string | null} old @param {string | null} value */
  attributeChangedCallback(name, old, value) {
    if (old === value) return;
    if (name === 'controls' || name === 'muted') this.#refresh();
    else if (name === 'secret') this.#take(value);
    else this.#restart();
  }

  focus(/** @type {FocusOptions | undefined} */ options) {
    this.#stage.element.focus(options);
  }

  #hidden = () => this.#leave();

  /** A page that comes back from the browser's memory has lost its connections. */
  #shown = (/** @type {PageTransitionEvent} */ event) => event.persisted && this.#begin();

  // ── to watch ───────────────────────────────────────────────────────────────────────────────

  /** The attribute goes as soon as it was read. @param {string | null} secret */
  #take(secret) {
    if (secret === null) return;
    this.removeAttribute('secret');
    this.secret = secret;
  }

  /** Attributes change one after the other; the room is joined once, with all of them. */
  #restart() {
    if (this.#restarting) return;
    this.#restarting = true;
    queueMicrotask(() => {
      this.#restarting = false;
      this.#leave();
      this.#stage.screen.clear();
      this.#begin();
    });
  }

  #begin() {
    if (!this.#wanted || !this.isConnected || !this.room) return;
    this.#viewer ??= this.#newViewer();
    this.#viewer.start();
  }

  #newViewer() {
    const url = signallingUrl(this.getAttribute('server'));
    return new Viewer(url, { room: this.room, secret: this.#secret }, {
      show: (feed) => this.#stage.screen.show(feed),
      freeze: () => this.#stage.screen.freeze(),
      changed: () => this.#refresh(),
      measured: (figures) => this.#stage.measured(figures),
    }, this.#wish);
  }

  /** The leg that the page asks for. @returns {import('./wire.js').Leg | null} */
  get #wish() {
    if (this.getAttribute('audio') === 'aac') return 'fmp4';
    const leg = this.getAttribute('leg');
    return leg === 'rtp' || leg === 'fmp4' ? leg : null;
  }

  #leave() {
    this.#viewer?.stop();
    this.#viewer = null;
    this.#refresh();
  }

  // ── what is to be seen ─────────────────────────────────────────────────────────────────────

  #refresh() {
    this.#stage.render(this.#viewer?.view ?? NOTHING, {
      room: this.room,
      controls: this.getAttribute('controls') !== 'off',
      asksToHear: !this.hasAttribute('muted'),
    });
  }

  /** @param {Words} words @param {import('./view.js').View} view */
  #said(words, view) {
    this.#words = words;
    this.#tell('porthole-state', { state: view.state, ...words });
    if (words.tone !== 'error') return;
    const code = view.source?.code ?? view.reason?.code ?? '';
    this.#tell('porthole-error', { code, title: words.title, detail: words.detail });
  }

  /** @param {string} type @param {object} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** @param {string | null} server */
function signallingUrl(server) {
  try {
    const url = new URL('/ws', server || import.meta.url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return url.href;
  } catch {
    return 'about:invalid'; // the attempt to connect fails, and is explained
  }
}

// Two servers' scripts in one page: the first one's element serves both.
if (!customElements.get('porthole-player')) customElements.define('porthole-player', PortholePlayer);
