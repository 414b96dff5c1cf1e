import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

const PLAYER = new URL('../../player/', import.meta.url);
const html = readFileSync(new URL('index.html', PLAYER), 'utf8');
const named = (pattern) => [...html.matchAll(pattern)].map((match) => match[1]).sort();

test('the page fetches every module at once', () => {
  const modules = readdirSync(PLAYER).filter((name) => name.endsWith('.js') && name !== 'page.js');
  assert.deepEqual(named(/rel="modulepreload" href="([^"]+)"/g), modules.sort());
});

test('the page has no inline script and no inline style: the server’s policy forbids them', () => {
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:/i);
});

test('the page loads nothing from elsewhere', () => {
  for (const address of named(/(?:href|src)="([^"]+)"/g)) assert.doesNotMatch(address, /^\w+:|^\/\//, address);
});
