/** The page around the player: the room of the link, a title that says the state, a link to copy. */

import './porthole-player.js';
import { copy } from './clipboard.js';
import { fragment, parseFragment, parseLink, shortened } from './link.js';

/** @typedef {import('./porthole-player.js').PortholePlayer} PortholePlayer */

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const player = /** @type {PortholePlayer} */ (byId('player'));
const input = /** @type {HTMLInputElement} */ (byId('link'));
/** `?audio=aac` in front of the # asks for the camera's own sound. */
const audio = new URLSearchParams(location.search).get('audio');
const COPIED_FOR = 2_500; // ms that it is said

function arrive() {
  const link = parseFragment(location.hash);
  byId('watch').hidden = byId('room').hidden = link === null;
  byId('start').hidden = link !== null;
  if (!link) return leave();
  name(link.room);
  byId('copy-note').textContent = link.secret ? SECRET : PUBLIC;
  byId('check').setAttribute('href', `check${location.hash}`); // a fragment reaches no server
  player.secret = link.secret;
  if (audio) player.setAttribute('audio', audio);
  player.room = link.room;
  player.focus(/** @type {FocusOptions} */ ({ preventScroll: true, focusVisible: false }));
}

/** @param {string} room */
function name(room) {
  const heading = byId('name');
  heading.textContent = shortened(room);
  heading.title = heading.ariaLabel = room;
}

function leave() {
  document.title = 'Porthole';
  player.removeAttribute('room');
  if (location.hash.length > 1) byId('wrong').textContent = INCOMPLETE;
}

const SECRET = 'Whoever has the link can watch. Its secret part never leaves your browser.';
const PUBLIC = 'This room is public: whoever knows its name can watch.';
const INCOMPLETE = 'This is not a link to a camera: it ends with #, a room, a dot and a secret.';

player.addEventListener('porthole-state', (event) => {
  const { chip } = /** @type {CustomEvent} */ (event).detail;
  if (player.room) document.title = `${chip} · ${shortened(player.room)} – Porthole`;
});

byId('open').addEventListener('submit', (event) => {
  event.preventDefault();
  const link = parseLink(input.value);
  byId('wrong').textContent = link ? '' : INCOMPLETE;
  if (link) location.hash = fragment(link);
  else input.focus();
});

byId('copy').addEventListener('click', async () => {
  const copied = await copy(location.href);
  byId('copied').textContent = copied ? 'Copied' : 'Copy it from the address bar';
  setTimeout(() => (byId('copied').textContent = ''), COPIED_FOR);
});

addEventListener('hashchange', arrive);
arrive();
