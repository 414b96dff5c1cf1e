/** Buttons and keys: sound, statistics, picture-in-picture, full screen. */

import { ICONS } from './icons.js';
import { one } from './template.js';

const RESTS_AFTER = 3_000; // ms without a move of the pointer

/** @typedef {'mute' | 'statistics' | 'pip' | 'full'} Action */

/** A live picture has no pause: nobody should look at an old picture unawares. @type {Record<string, Action>} */
const KEYS = { m: 'mute', s: 'statistics', p: 'pip', f: 'full' };

export class Controls {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  /**
   * @param {ShadowRoot} root
   * @param {HTMLVideoElement} video
   */
  constructor(root, video) {
    this.root = root;
    this.video = video;
    this.stage = one(root, '.stage');
    this.panel = one(root, '.panel');
    for (const action of new Set(Object.values(KEYS))) {
      one(root, `button.${action}`).addEventListener('click', () => this.#act[action]());
    }
    this.stage.addEventListener('keydown', (event) => this.#pressed(event));
    this.stage.addEventListener('pointermove', () => this.#stir());
    this.stage.addEventListener('dblclick', (event) => this.#doubled(event));
    one(root, 'button.pip').hidden = !canPip(video);
    one(root, 'button.full').hidden = !canFill(this.stage, video);
  }

  /** Whether the bar is there and keys are heard. @param {boolean} on */
  enable(on) {
    one(this.root, '.bar').hidden = !on;
  }

  /** Shows what sound and screen are like now. @param {boolean} hasSound */
  refresh(hasSound) {
    one(this.root, 'button.mute').hidden = !hasSound;
    const { muted } = this.video;
    const filled = isFull(this.stage);
    label(this.root, 'mute', muted ? 'Sound on' : 'Sound off', muted ? ICONS.muted : ICONS.sound);
    label(this.root, 'full', filled ? 'Leave full screen' : 'Full screen', filled ? ICONS.restore : ICONS.full);
  }

  /** @type {Record<Action, () => void>} */
  #act = {
    mute: () => {
      this.video.muted = !this.video.muted; // volumechange refreshes
    },
    statistics: () => {
      this.panel.hidden = !this.panel.hidden;
      const pressed = String(!this.panel.hidden);
      one(this.root, 'button.statistics').setAttribute('aria-pressed', pressed);
    },
    pip: () => void togglePip(this.video).catch(() => undefined), // refused without a picture yet
    full: () => void toggleFull(this.stage, this.video).catch(() => undefined),
  };

  /** Keys count while the focus is in the player (WCAG 2.1.4). @param {KeyboardEvent} event */
  #pressed(event) {
    const action = KEYS[event.key.toLowerCase()];
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (!action || modified || event.repeat || one(this.root, '.bar').hidden) return;
    if (one(this.root, `button.${action}`).hidden) return;
    event.preventDefault();
    this.#act[action]();
  }

  /** @param {MouseEvent} event */
  #doubled({ target }) {
    const onPicture = target instanceof Element && !target.closest('button, .panel, .message');
    if (onPicture && !one(this.root, 'button.full').hidden) this.#act.full();
  }

  /** The bar goes out of the way of somebody who only watches. */
  #stir() {
    clearTimeout(this.#rest);
    this.stage.classList.remove('at-rest');
    this.#rest = setTimeout(() => this.stage.classList.toggle('at-rest', this.#mayRest()), RESTS_AFTER);
  }

  #mayRest() {
    return !this.stage.matches('.has-message') && !this.root.querySelector(':focus-visible');
  }
}

/** @param {ParentNode} root @param {Action} action @param {string} text @param {string} icon */
function label(root, action, text, icon) {
  const button = one(root, `button.${action}`);
  if (button.ariaLabel === text && button.firstChild) return;
  button.ariaLabel = text;
  button.title = `${text} (${button.getAttribute('aria-keyshortcuts')})`;
  button.innerHTML = icon;
}

/** @param {HTMLVideoElement} video */
const canPip = (video) => document.pictureInPictureEnabled === true && 'requestPictureInPicture' in video;

/** @param {HTMLVideoElement} video */
async function togglePip(video) {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await video.requestPictureInPicture();
}

/** @typedef {HTMLVideoElement & { webkitEnterFullscreen?: () => void }} IPhoneVideo iPhones fill the screen with videos only. */

/** @param {HTMLElement} stage @param {IPhoneVideo} video */
const canFill = (stage, video) => 'requestFullscreen' in stage || 'webkitEnterFullscreen' in video;

/** @param {HTMLElement} stage */
const isFull = (stage) => stage.matches(':fullscreen');

/** @param {HTMLElement} stage @param {IPhoneVideo} video */
async function toggleFull(stage, video) {
  if (isFull(stage)) await document.exitFullscreen();
  else if ('requestFullscreen' in stage) await stage.requestFullscreen();
  else /** @type {IPhoneVideo} */ (video).webkitEnterFullscreen?.();
}
