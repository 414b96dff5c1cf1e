/** Everything that is to be seen: the picture, the words over it, the buttons, the statistics. */

import { Call } from './call.js';
import { Controls } from './controls.js';
import { TONES } from './icons.js';
import { route, rows } from './readout.js';
import { Screen } from './screen.js';
import { dress } from './style.js';
import { markup, one } from './template.js';
import { describe } from './words.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {import('./words.js').Words} Words */
/** @typedef {import('./call.js').Offer} Offer */
/** @typedef {{ room: string, controls: boolean, asksToHear: boolean }} Wishes of the page */
/**
 * @typedef {{
 *   pictured: () => void, changed: () => void, again: () => void,
 *   said: (words: Words, view: View) => void,
 * }} Listener `changed`: a render is due. `said`: the words are others now.
 */

export class Stage {
  #shown = '';
  #said = '';

  /**
   * @param {ShadowRoot} root
   * @param {Listener} listener
   */
  constructor(root, listener) {
    dress(root);
    root.append(markup());
    this.root = root;
    this.listener = listener;
    this.element = one(root, '.stage');
    this.element.addEventListener('fullscreenchange', listener.changed);
    this.video = /** @type {HTMLVideoElement} */ (one(root, 'video'));
    this.video.muted = true;
    const still = /** @type {HTMLCanvasElement} */ (one(root, '.still'));
    this.screen = new Screen(this.video, still, listener);
    this.controls = new Controls(root, this.video);
    this.call = new Call(this.element, (offer) => this.#taken(offer));
  }

  /** @param {View} view @param {Wishes} wishes */
  render(view, wishes) {
    const words = describe({ ...view, paused: this.screen.paused });
    this.#frame(view, words);
    if (view.state !== 'playing' && !view.picture) this.measured(null); // those of before are history
    this.controls.enable(wishes.controls);
    this.controls.refresh(this.screen.hasSound);
    this.call.show(wishes.controls ? this.#offer(view, words, wishes) : null);
    this.element.ariaLabel = `Camera ${wishes.room}`.trim();
    // A live region is read out whenever it is written to, be it with the same words: as when the
    // first picture comes before the browser says that it is connected.
    const shown = JSON.stringify(words);
    if (shown !== this.#shown) this.#say(words);
    this.#shown = shown;
    const said = view.state + shown;
    if (said === this.#said) return;
    this.#said = said;
    this.listener.said(words, view);
  }

  /** Tells the figures; null when there are none. @param {import('./stats.js').Figures | null} figures */
  measured(figures) {
    const { short, long } = route(figures);
    one(this.root, '.route').title = long;
    one(this.root, '.route .short').textContent = short;
    one(this.root, '.route .long').textContent = long;
    const cells = rows(figures).flatMap(([name, value]) => [cell('dt', name), cell('dd', value)]);
    one(this.root, '.panel dl').replaceChildren(...cells);
  }

  /** @param {View} view @param {Words} words */
  #frame(view, words) {
    const { videoWidth, videoHeight } = this.video;
    const { classList, style } = this.element;
    if (view.picture && videoWidth) style.setProperty('--aspect', `${videoWidth} / ${videoHeight}`);
    classList.toggle('has-picture', view.picture);
    classList.toggle('has-still', this.screen.hasStill);
    classList.toggle('has-message', words.title !== '');
  }

  /** @param {Words} words */
  #say(words) {
    this.element.dataset.tone = words.tone;
    one(this.root, '.tone').innerHTML = TONES[words.tone];
    one(this.root, '.word').textContent = words.chip;
    one(this.root, '.title').textContent = words.title;
    one(this.root, '.detail').textContent = words.detail;
    one(this.root, '.message').classList.toggle('said', words.title !== '');
  }

  /** @param {View} view @param {Words} words @param {Wishes} wishes @returns {Offer | null} */
  #offer(view, words, { asksToHear }) {
    if (view.state === 'ended') return 'again';
    if (view.state === 'playing' && this.screen.paused) return 'play';
    const audible = words.tone === 'live' && this.screen.hasSound;
    return audible && asksToHear && this.video.muted ? 'hear' : null;
  }

  /** @param {Offer} offer */
  #taken(offer) {
    if (offer === 'again') return this.listener.again();
    if (offer === 'hear') this.video.muted = false;
    void this.screen.play();
    this.listener.changed();
  }
}

/** @param {string} name @param {string} text */
function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}
