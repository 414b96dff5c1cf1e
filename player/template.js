/** The player's markup. */

import { ICONS, PORTHOLE } from './icons.js';

/** @param {string} name @param {string} label @param {string} key */
const button = (name, label, key) =>
  `<button type="button" class="${name}" aria-label="${label}" aria-keyshortcuts="${key}" title="${label} (${key})"></button>`;

const HTML = `
<div class="player" part="player">
  <div class="stage" part="stage" tabindex="0" role="group" aria-label="Camera">
    <video muted autoplay playsinline disableremoteplayback part="video" aria-label="Live picture of the camera"></video>
    <canvas class="still" aria-hidden="true"></canvas>
    <div class="scene">
      ${PORTHOLE}
      <div class="status" role="status" aria-live="polite" aria-atomic="true">
        <p class="chip" part="chip"><span class="tone"></span><span class="word"></span></p>
        <div class="message" part="message"><p class="title"></p><p class="detail"></p></div>
      </div>
      <button type="button" class="call" part="call"><span class="icon"></span><span class="label"></span></button>
    </div>
    <div class="bar" part="bar">
      ${button('mute', 'Sound on', 'M')}
      <span class="gap"></span>
      <span class="route" part="route"><span class="short" aria-hidden="true"></span><span class="long"></span></span>
      ${button('statistics', 'Statistics', 'S')}
      ${button('pip', 'Picture in picture', 'P')}
      ${button('full', 'Full screen', 'F')}
    </div>
    <section class="panel" part="statistics" aria-label="Statistics" hidden><dl></dl></section>
  </div>
</div>`;

/** @returns {DocumentFragment} */
export function markup() {
  const template = document.createElement('template');
  template.innerHTML = HTML;
  const content = template.content;
  one(content, 'button.statistics').innerHTML = ICONS.statistics;
  one(content, 'button.statistics').setAttribute('aria-pressed', 'false');
  one(content, 'button.pip').innerHTML = ICONS.pip;
  return content;
}

/**
 * The one element that the selector finds; the markup above has it.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function one(root, selector) {
  return /** @type {HTMLElement} */ (root.querySelector(selector));
}
