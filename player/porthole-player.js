/**
 * <porthole-player server="https://host:4545" room="MyRoom" secret="…">: a camera in a page.
 *
 * Attributes: `server` (default: where this file came from), `room`, `secret` (taken out of the
 * page's markup as soon as it was read), `controls="off"`, and `muted`, which is for pages where
 * nobody should be asked to turn the sound on. Sound is always off at first: browsers demand it.
 *
 * Properties: `room`, `secret`, `muted`, `state`, `words`, `video`. Methods: `start()`, `stop()`,
 * `stats()`. Events: `porthole-state` (detail: state, chip, title, detail, tone) and
 * `porthole-error` (detail: code, title, detail) when only a person can help.
 */

import { Call } from './call.js';
import { Controls } from './controls.js';
import { TONES } from './icons.js';
import { Screen } from './screen.js';
import { dress } from './style.js';
import { markup, one } from './template.js';
import { NOTHING } from './view.js';
import { Viewer } from './viewer.js';
import { describe, rows } from './words.js';

/** @typedef {import('./words.js').Words} Words */

export class PortholePlayer extends HTMLElement {
  static observedAttributes = ['server', 'room', 'secret', 'controls', 'muted'];

  #root = this.attachShadow({ mode: 'open' });
  /** @type {HTMLElement} */
  #stage;
  /** @type {Screen} */
  #screen;
  /** @type {Controls} */
  #controls;
  /** @type {Call} */
  #call;
  /** @type {Viewer | null} */
  #viewer = null;
  /** @type {string | null} */
  #secret = null;
  /** @type {Words | null} */
  #words = null;
  #said = '';
  /** Whether the page wants to watch: true until it says `stop`, whatever comes in between. */
  #wanted = true;
  #restarting = false;

  constructor() {
    super();
    dress(this.#root);
    this.#root.append(markup());
    this.#stage = one(this.#root, '.stage');
    this.#screen = new Screen(
      /** @type {HTMLVideoElement} */ (one(this.#root, 'video')),
      /** @type {HTMLCanvasElement} */ (one(this.#root, '.still')),
      { pictured: () => this.#viewer?.pictured(), changed: () => this.#refresh() },
    );
    this.#screen.video.muted = true;
    this.#controls = new Controls(this.#root, this.#screen.video);
    this.#stage.addEventListener('fullscreenchange', () => this.#refresh());
    this.#call = new Call(this.#stage, (offer) => this.#taken(offer));
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
    return this.#screen.video.muted;
  }

  set muted(muted) {
    this.#screen.video.muted = muted;
  }

  get state() {
    return this.#viewer?.view.state ?? 'idle';
  }

  /** What the player says right now. */
  get words() {
    return this.#words;
  }

  get video() {
    return this.#screen.video;
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
    this.#screen.clear();
  }

  /** @param {string} name @param {string | null} old @param {string | null} value */
  attributeChangedCallback(name, old, value) {
    if (old === value) return;
    if (name === 'controls') this.#controls.enable(value !== 'off');
    if (name === 'controls' || name === 'muted') this.#refresh();
    else if (name === 'secret') this.#take(value);
    else this.#restart();
  }

  focus(/** @type {FocusOptions | undefined} */ options) {
    this.#stage.focus(options);
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
      this.#screen.clear();
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
      show: (stream) => this.#screen.show(stream),
      freeze: () => this.#screen.freeze(),
      changed: () => this.#refresh(),
      measured: () => this.#measured(),
    });
  }

  #leave() {
    this.#viewer?.stop();
    this.#viewer = null;
    this.#refresh();
  }

  // ── what is to be seen ─────────────────────────────────────────────────────────────────────

  #refresh() {
    const view = this.#viewer?.view ?? NOTHING;
    const words = describe({ ...view, paused: this.#screen.paused });
    const { videoWidth, videoHeight } = this.#screen.video;
    if (view.picture && videoWidth) this.#stage.style.setProperty('--aspect', `${videoWidth} / ${videoHeight}`);
    this.#stage.classList.toggle('has-picture', view.picture);
    this.#stage.classList.toggle('has-still', this.#screen.hasStill && !view.picture);
    this.#stage.classList.toggle('has-message', words.title !== '');
    this.#controls.refresh(this.#screen.hasSound);
    this.#call.show(this.#offer(view, words));
    const said = JSON.stringify([view.state, words]);
    if (said !== this.#said) this.#say(words, view);
    this.#said = said;
  }

  /** @param {Words} words @param {import('./view.js').View} view */
  #say(words, view) {
    this.#words = words;
    this.#stage.dataset.tone = words.tone;
    this.#stage.ariaLabel = `Camera ${this.room}`.trim();
    one(this.#root, '.tone').innerHTML = TONES[words.tone];
    one(this.#root, '.word').textContent = words.chip;
    one(this.#root, '.title').textContent = words.title;
    one(this.#root, '.detail').textContent = words.detail;
    one(this.#root, '.message').classList.toggle('said', words.title !== '');
    this.#tell('porthole-state', { state: view.state, ...words });
    if (words.tone === 'error') {
      const code = view.source?.code ?? view.reason?.code ?? '';
      this.#tell('porthole-error', { code, title: words.title, detail: words.detail });
    }
  }

  /** @param {string} type @param {object} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  /** @param {import('./view.js').View} view @param {Words} words @returns {import('./call.js').Offer | null} */
  #offer(view, words) {
    if (this.getAttribute('controls') === 'off') return null;
    if (view.state === 'ended') return 'again';
    if (view.state === 'playing' && this.#screen.paused) return 'play';
    const audible = words.tone === 'live' && this.#screen.hasSound && !this.hasAttribute('muted');
    return audible && this.muted ? 'hear' : null;
  }

  /** @param {import('./call.js').Offer} offer */
  #taken(offer) {
    if (offer === 'again') return this.start();
    if (offer === 'hear') this.#screen.video.muted = false;
    void this.#screen.play();
    this.#refresh();
  }

  #measured() {
    const panel = one(this.#root, '.panel');
    if (panel.hidden) return;
    const list = one(panel, 'dl');
    list.replaceChildren(...rows(this.stats()).flatMap(([name, value]) => [cell('dt', name), cell('dd', value)]));
  }
}

/** @param {string} name @param {string} text */
function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
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
