/**
 * Debian's Firefox through WebDriver BiDi, told what to do by lines of JSON; see firefox.py:
 * node firefox.mjs <puppeteer> <script for every page>…
 *
 * In: `{visit: url}`, `{click: selector}` or `{evaluate: expression}`; a function is called with
 * `argument`. Out: `{value}` or `{error}`, one for each, in order. The end of the input is the end of the browser.
 * The profile is a fresh one with the browser's own settings, of media and of ICE too.
 */

import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const PATIENCE = 60_000; // ms, as everywhere in the tests
const [library, ...scripts] = process.argv.slice(2);
const { launch } = (await import(pathToFileURL(library))).default;

const browser = await launch({
  browser: 'firefox',
  executablePath: '/usr/bin/firefox-esr',
  headless: true,
  timeout: PATIENCE,
});
const page = await browser.newPage();
page.setDefaultTimeout(PATIENCE);
for (const script of scripts) {
  await page.evaluateOnNewDocument(await readFile(script, 'utf8'));
}
say({ ready: await browser.version() });
for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line));
await browser.close();

async function obey({ visit, click, evaluate, argument }) {
  try {
    if (visit) say({ value: (await page.goto(visit)) && null });
    else if (click) say({ value: (await page.click(click)) ?? null });
    else say({ value: (await page.evaluate(called(evaluate, argument))) ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}

/** As Playwright has it: an expression, or a function of one argument. */
function called(source, argument) {
  return /^(async )?(\(.*?\)|\w+) =>/.test(source) ? `(${source})(${JSON.stringify(argument)})` : source;
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
