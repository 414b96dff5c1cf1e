/** The page /check: shows the road as it is walked, sums up, and copies a report without secrets. */

import { copy } from '../clipboard.js';
import { asText, summary, worst } from './findings.js';
import { fragment, parseFragment, parseLink } from '../link.js';
import { walk } from './road.js';

/** @typedef {import('./findings.js').Finding} Finding */
/** @typedef {import('./findings.js').Step} Step */

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const input = /** @type {HTMLInputElement} */ (byId('link'));
const SPOKEN = { well: 'all right', note: 'for information', warning: 'with a reservation', fault: 'wrong' };
const COPIED_FOR = 2_500; // ms that it is said
const WITH_ROOM = 'This page tests the way from this browser to the camera, step by step.';
const WITHOUT = 'This page tests this browser and the server, step by step.';
const INCOMPLETE = 'This is not a link to a camera: it ends with #, a room, a dot and a secret.';

/** What was found by the walk that counts. @type {Step[]} */
let steps = [];
/** Another walk may have begun meanwhile. */
let walks = 0;

async function check() {
  const own = ++walks;
  const link = parseFragment(location.hash);
  begin(link);
  /** @type {Promise<Step>[]} */
  const ends = [];
  for await (const { title, detail, findings } of walk(link)) {
    if (own !== walks) return;
    ends.push(shown(add(title, detail), title, detail, findings));
  }
  const found = await Promise.all(ends);
  if (own === walks) finish(found);
}

/** @param {import('../link.js').Link | null} link */
function begin(link) {
  byId('about').textContent = link ? WITH_ROOM : WITHOUT;
  byId('open').hidden = link !== null;
  /** @type {HTMLAnchorElement} */ (byId('home')).href = link ? `./${fragment(link)}` : './';
  byId('road').replaceChildren();
  byId('again').hidden = byId('copy').hidden = byId('left-out').hidden = true;
  say({ verdict: 'busy', title: 'Testing…', detail: 'Each step is shown as it ends. A server that is silent takes some seconds.' });
}

/** @param {Step[]} found */
function finish(found) {
  steps = found;
  say(summary(found));
  byId('again').hidden = byId('copy').hidden = byId('left-out').hidden = false;
}

/** @param {{ verdict: string, title: string, detail: string }} words */
function say({ verdict, title, detail }) {
  byId('verdict').dataset.verdict = verdict;
  byId('title').textContent = title;
  byId('detail').textContent = detail;
  document.title = `${title} – Porthole`;
}

/** @param {string} title @param {string} detail @returns {HTMLElement} */
function add(title, detail) {
  const item = cloned('step');
  within(item, '.name').textContent = title;
  within(item, '.unseen').textContent = ', under way';
  fill(item, '.of', detail);
  byId('road').append(item);
  return item;
}

/** @param {HTMLElement} item @param {string} title @param {string} detail @param {Promise<Finding[]>} findings @returns {Promise<Step>} */
async function shown(item, title, detail, findings) {
  const found = await findings;
  const verdict = worst(found);
  item.dataset.verdict = verdict;
  within(item, '.unseen').textContent = `, ${SPOKEN[verdict]}`;
  within(item, '.findings').append(...found.map(line));
  return { title: detail ? `${title} ${detail}` : title, findings: found };
}

/** @param {Finding} found */
function line({ verdict, code, sentence, aside, meaning, cure }) {
  const item = cloned('finding');
  item.dataset.verdict = verdict;
  item.dataset.code = code;
  within(item, '.sentence').textContent = sentence;
  fill(item, '.aside', aside);
  fill(item, '.meaning', meaning);
  fill(item, '.cure', cure);
  return item;
}

/** @param {string} id */
function cloned(id) {
  const template = /** @type {HTMLTemplateElement} */ (byId(id));
  return /** @type {HTMLElement} */ (document.importNode(template.content, true).firstElementChild);
}

/** @param {HTMLElement} item @param {string} selector */
const within = (item, selector) => /** @type {HTMLElement} */ (item.querySelector(selector));

/** @param {HTMLElement} item @param {string} selector @param {string} text */
function fill(item, selector, text) {
  const part = within(item, selector);
  part.textContent = text;
  part.hidden = !text;
}

byId('open').addEventListener('submit', (event) => {
  event.preventDefault();
  const link = parseLink(input.value);
  byId('wrong').textContent = link ? '' : INCOMPLETE;
  if (link) location.hash = fragment(link);
  else input.focus();
});

byId('again').addEventListener('click', check);

byId('copy').addEventListener('click', async () => {
  const report = asText(steps, { server: location.origin, browser: navigator.userAgent, when: new Date() });
  byId('copied').textContent = (await copy(report)) ? 'Copied.' : 'This browser does not let pages copy.';
  setTimeout(() => (byId('copied').textContent = ''), COPIED_FOR);
});

addEventListener('hashchange', check);
check();
