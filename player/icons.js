/** The few pictures of the player, as SVG drawn on a grid of 24 with strokes in the text's colour. */

/** @param {string} shape */
const icon = (shape) => `<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">${shape}</svg>`;

export const ICONS = Object.freeze({
  muted: icon('<path d="M4 9.5h3.5L12 5.5v13l-4.5-4H4z"/><path d="m16 9.5 5 5m0-5-5 5"/>'),
  sound: icon('<path d="M4 9.5h3.5L12 5.5v13l-4.5-4H4z"/><path d="M15.5 9a4 4 0 0 1 0 6m2.5-8.5a7.5 7.5 0 0 1 0 11"/>'),
  statistics: icon('<path d="M5 19v-6m4.7 6V5m4.6 14v-9M19 19v-4"/>'),
  pip: icon('<rect x="3.5" y="5.5" width="17" height="13" rx="2"/><rect x="12" y="12" width="6" height="4" rx=".8" fill="currentColor"/>'),
  full: icon('<path d="M9 4.5H4.5V9M15 4.5h4.5V9M9 19.5H4.5V15m10.5 4.5h4.5V15"/>'),
  restore: icon('<path d="M4.5 9H9V4.5M19.5 9H15V4.5M4.5 15H9v4.5M19.5 15H15v4.5"/>'),
  again: icon('<path d="M19 12a7 7 0 1 1-2-5l2 2m0-4.5V9h-4.5"/>'),
  play: icon('<path d="M8 5.5v13l10.5-6.5z" fill="currentColor"/>'),
});

/** One shape for each tone, so that no meaning hangs on a colour. */
export const TONES = Object.freeze({
  quiet: icon('<circle cx="12" cy="12" r="6.5"/>'),
  busy: icon('<path class="turning" d="M12 4.5a7.5 7.5 0 1 1-7.5 7.5"/>'),
  live: icon('<circle class="pulse" cx="12" cy="12" r="8.5"/><circle cx="12" cy="12" r="4.5" fill="currentColor" stroke="none"/>'),
  warning: icon('<path d="M12 4 21 19.5H3z"/><path d="M12 10v4.2m0 2.3v.4"/>'),
  error: icon('<path d="M8.3 3.5h7.4l5 5.1v6.8l-5 5.1H8.3l-5-5.1V8.6z"/><path d="m9 9 6 6m0-6-6 6"/>'),
});

/** A ship's window, with the sea in it: what one sees while there is no picture. */
export const PORTHOLE = `
<svg class="porthole" viewBox="0 0 120 120" aria-hidden="true" focusable="false">
  <defs><clipPath id="glass"><circle cx="60" cy="60" r="38"/></clipPath></defs>
  <circle class="rim" cx="60" cy="60" r="53"/>
  <g class="bolts">${[0, 45, 90, 135, 180, 225, 270, 315]
    .map((angle) => `<circle cx="60" cy="14.5" r="2" transform="rotate(${angle + 22.5} 60 60)"/>`)
    .join('')}</g>
  <circle class="glass" cx="60" cy="60" r="38"/>
  <g clip-path="url(#glass)">
    <path class="wave far" d="M-60 68q15-9 30 0t30 0 30 0 30 0 30 0 30 0 30 0 30 0v60H-60z"/>
    <path class="wave near" d="M-60 76q15 9 30 0t30 0 30 0 30 0 30 0 30 0 30 0 30 0v60H-60z"/>
  </g>
  <circle class="ring" cx="60" cy="60" r="38"/>
</svg>`;
