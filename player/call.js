/** The one big button, for what only a person can do: let it play, let it sound, try again. */

import { ICONS } from './icons.js';
import { one } from './template.js';

const CALLS = {
  play: [ICONS.play, 'Tap to play'],
  hear: [ICONS.muted, 'Tap to hear'],
  again: [ICONS.again, 'Try again'],
};

/** @typedef {keyof typeof CALLS} Offer */

export class Call {
  /** @type {Offer | null} */
  #offer = null;

  /**
   * @param {HTMLElement} stage
   * @param {(offer: Offer) => void} taken
   */
  constructor(stage, taken) {
    this.stage = stage;
    this.button = one(stage, '.call');
    this.button.hidden = true;
    this.button.addEventListener('click', () => this.#offer && taken(this.#offer));
  }

  /** @param {Offer | null} offer */
  show(offer) {
    if (offer === this.#offer) return;
    this.#offer = offer;
    if (offer) this.#label(offer);
    // Keys go on to be heard when the button that had the focus goes.
    else if (this.button.matches(':focus')) this.stage.focus();
    this.button.hidden = offer === null;
  }

  /** @param {Offer} offer */
  #label(offer) {
    const [icon, text] = CALLS[offer];
    this.button.dataset.offer = offer;
    one(this.button, '.icon').innerHTML = icon;
    one(this.button, '.label').textContent = text;
  }
}
