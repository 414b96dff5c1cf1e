/**
 * What the page /check finds: values, and how they read when they are copied.
 *
 * Neither the link nor an address of the visitor is ever part of a sentence: what only the visitor
 * shall see is in `aside`, which is shown and not copied.
 */

/** @typedef {'well' | 'note' | 'warning' | 'fault'} Verdict */
/**
 * `code` never changes between releases; `meaning` says what the visitor notices, `cure` what to do.
 *
 * @typedef {{ verdict: Verdict, code: string, sentence: string, meaning: string, cure: string, aside: string }} Finding
 */
/** @typedef {{ title: string, findings: Finding[] }} Step */

/** @param {Verdict} verdict */
const of =
  (verdict) =>
  /** @param {string} code @param {string} sentence @param {string} [meaning] @param {string} [cure] @returns {Finding} */
  (code, sentence, meaning = '', cure = '') => ({ verdict, code, sentence, meaning, cure, aside: '' });

export const well = of('well');
export const note = of('note');
export const warning = of('warning');
export const fault = of('fault');

/** With something that stays on the visitor's screen. @param {Finding} found @param {string} aside @returns {Finding} */
export const beside = (found, aside) => ({ ...found, aside });

/** The worst of them; well when there are none. @param {Finding[]} findings @returns {Verdict} */
export function worst(findings) {
  const verdicts = findings.map(({ verdict }) => verdict);
  return SEVERITY.find((verdict) => verdicts.includes(verdict)) ?? 'well';
}

/** @type {Verdict[]} */
const SEVERITY = ['fault', 'warning', 'note', 'well'];

/** The whole in a sentence. @param {Step[]} steps @returns {{ verdict: Verdict, title: string, detail: string }} */
export function summary(steps) {
  const findings = steps.flatMap((step) => step.findings);
  const verdict = worst(findings);
  if (verdict === 'fault') return { verdict, title: counted(findings, verdict, 'thing'), detail: FAULTS };
  if (verdict === 'warning') return { verdict, title: 'It works, with a reservation', detail: WARNINGS };
  const partly = findings.some(({ code }) => code === 'no_room');
  return { verdict: 'well', title: partly ? 'So far, all is well' : 'All is well', detail: partly ? SO_FAR : WELL };
}

/** The same at several servers is one. @param {Finding[]} findings @param {Verdict} verdict @param {string} word */
function counted(findings, verdict, word) {
  const found = findings.filter((one) => one.verdict === verdict);
  const count = new Set(found.map(({ code }) => code)).size;
  return count === 1 ? `One ${word} is wrong` : `${count} ${word}s are wrong`;
}

const FAULTS = 'Below: what is wrong, what it means for the picture, and what can be done about it.';
const WARNINGS = 'The picture should come; below is what may get in its way at times.';
const WELL = 'Nothing that could be tested keeps the picture from this browser.';
const SO_FAR = 'This browser and the server are fit. The way to a camera shows with its link.';

const MARKS = { well: '[ok]  ', note: '[note]', warning: '[!]   ', fault: '[X]   ' };

/**
 * For somebody who helps: no link, no room, no address of the visitor.
 *
 * @param {Step[]} steps
 * @param {{ server: string, browser: string, when: Date }} where
 */
export function asText(steps, { server, browser, when }) {
  const head = ['Porthole check', `server:  ${server}`, `browser: ${browser}`, `when:    ${when.toISOString()}`];
  const lines = steps.flatMap(({ title, findings }) => ['', title, ...findings.map(asLine)]);
  return [...head, ...lines, ''].join('\n');
}

/** @param {Finding} found */
const asLine = ({ verdict, code, sentence }) => `  ${MARKS[verdict]} ${sentence} (${code})`;
