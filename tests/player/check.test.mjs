import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

import { asText, beside, fault, note, summary, warning, well, worst } from '../../player/check/findings.js';
import * as judge from '../../player/check/judges.js';
import { transportOf } from '../../player/check/probes.js';

const PLAYER = new URL('../../player/', import.meta.url);
const html = readFileSync(new URL('check.html', PLAYER), 'utf8');
const codes = (findings) => findings.map(({ code, verdict }) => `${code} ${verdict}`);
const WORKS = { refused: 0, allocated: true, roundTrip: 12 };
const SILENT = { refused: 0, allocated: false, roundTrip: null };
const turn = (transport, outcome) => ({ url: 'turn:t', transport, ...outcome });
const stun = (answered) => ({ url: 'stun:s', transport: 'UDP', refused: 0, reflexive: '', answered });
const ways = (stuns, turns, policy = 'all') => codes(judge.judgeWays({ stun: stuns, turn: turns, policy }));

test('the worst finding decides', () => {
  assert.equal(worst([well('a', ''), fault('b', ''), warning('c', '')]), 'fault');
  assert.equal(worst([]), 'well');
  assert.equal(summary([{ title: '', findings: [fault('b', ''), fault('c', '')] }]).title, '2 things are wrong');
  assert.equal(summary([{ title: '', findings: [fault('b', ''), fault('b', '')] }]).title, 'One thing is wrong');
  assert.equal(summary([{ title: '', findings: [note('b', '')] }]).verdict, 'well');
});

test('without a link the page claims nothing about cameras', () => {
  const findings = judge.judgeRoom({ type: 'none', code: '', message: '', state: '' });
  assert.match(summary([{ title: '', findings }]).title, /^So far/);
});

test('the report has codes, and no address of the visitor', () => {
  const findings = [beside(well('stun', 'It answers.'), 'From outside you are 192.0.2.7.')];
  const where = { server: 'https://watch.example.org', browser: 'B', when: new Date(0) };
  const text = asText([{ title: 'STUN', findings }], where);
  assert.match(text, /\[ok\] {3}It answers\. \(stun\)/);
  assert.doesNotMatch(text, /192\.0\.2\.7/);
});

test('a browser is judged by what it can play', () => {
  const all = { h264: true, opus: true, fmp4: true, h265: true };
  assert.equal(worst(judge.judgeCodecs(all)), 'well');
  assert.deepEqual(codes(judge.judgeCodecs({ ...all, h264: false }))[0], 'no_h264_webrtc note');
  assert.deepEqual(codes(judge.judgeCodecs({ ...all, h264: false, fmp4: false }))[0], 'no_h264 fault');
  assert.deepEqual(codes(judge.judgeBrowser({ secure: false, webrtc: false, online: true })), ['page_in_clear note', 'no_webrtc fault']);
});

test('a proxy that passes no WebSockets is told from a server that is gone', () => {
  const up = { http: true, draining: false, welcome: true, apart: 0 };
  assert.equal(worst(judge.judgeServer(up)), 'well');
  assert.deepEqual(codes(judge.judgeServer({ ...up, welcome: false })), ['http well', 'websocket_blocked fault']);
  assert.deepEqual(codes(judge.judgeServer({ ...up, http: false, welcome: false })), ['server_unreachable fault']);
  assert.ok(codes(judge.judgeServer({ ...up, apart: -7200 })).includes('clock_wrong note'));
});

test('the room says whether link and camera are right', () => {
  const room = (type, code = '', state = '') => codes(judge.judgeRoom({ type, code, message: '', state }));
  assert.deepEqual(room('joined', '', 'live'), ['room well', 'camera well']);
  assert.deepEqual(room('joined', 'source_unauthorized', 'lost'), ['room well', 'source_unauthorized warning']);
  assert.deepEqual(room('waiting'), ['camera_away warning']);
  assert.deepEqual(room('error', 'room_unknown'), ['room_unknown fault']);
});

test('a relay that refuses is told from one that is silent, and from one that relays nothing', () => {
  assert.deepEqual(codes(judge.judgeTurn(turn('TCP', WORKS))), ['turn well']);
  assert.deepEqual(codes(judge.judgeTurn(turn('UDP', { ...SILENT, refused: 401 }))), ['turn_credentials fault']);
  assert.deepEqual(codes(judge.judgeTurn(turn('UDP', { ...WORKS, roundTrip: null }))), ['turn_relays_nothing fault']);
  assert.deepEqual(codes(judge.judgeTurn(turn('UDP', SILENT))), ['turn_silent warning']);
});

test('UDP is blocked when nothing at all comes back over it', () => {
  assert.deepEqual(ways([stun(false)], [turn('UDP', SILENT), turn('TCP', WORKS)]), ['relay well', 'udp_blocked warning']);
  assert.deepEqual(ways([stun(true)], [turn('UDP', SILENT), turn('TCP', WORKS)]), ['relay well']);
  assert.deepEqual(ways([stun(false)], [turn('TCP', SILENT)]), ['no_relay fault', 'udp_blocked fault']);
  assert.deepEqual(ways([stun(false)], [turn('UDP', { ...SILENT, refused: 401 })]), ['no_relay fault']);
});

test('a room that is relay-only needs a relay', () => {
  assert.deepEqual(ways([], [], 'relay'), ['relay_only_without_turn fault']);
  assert.deepEqual(ways([stun(true)], []), ['no_turn warning']);
});

test('the transport is that of the URL', () => {
  const urls = ['stun:a:1', 'turn:a', 'turn:a?transport=tcp', 'turns:a:443?transport=tcp'];
  assert.deepEqual(urls.map(transportOf), ['UDP', 'UDP', 'TCP', 'TLS']);
});

test('the page fetches every module at once, and has nothing inline', () => {
  const named = [...html.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map((match) => match[1]);
  const own = readdirSync(new URL('check/', PLAYER)).filter((name) => name !== 'page.js');
  assert.deepEqual(named.filter((name) => name.startsWith('check/')).sort(), own.map((name) => `check/${name}`).sort());
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:/i);
  for (const [, address] of html.matchAll(/(?:href|src)="([^"]+)"/g)) assert.doesNotMatch(address, /^\w+:|^\/\//, address);
});

test('whatever is wrong comes with what to do', () => {
  const wrong = [
    ...judge.judgeBrowser({ secure: false, webrtc: false, online: false }),
    ...judge.judgeServer({ http: false, draining: false, welcome: false, apart: null }),
    ...judge.judgeRoom({ type: 'error', code: 'room_unknown', message: '', state: '' }),
    ...judge.judgeAddresses({ hosts: 0, hidden: 0, six: 0 }),
    ...judge.judgeStun(stun(false)),
    ...judge.judgeTurn(turn('UDP', SILENT)),
    ...judge.judgeWays({ stun: [], turn: [], policy: 'all' }),
  ].filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
  for (const { code, meaning, cure } of wrong) assert.ok(meaning && cure, code);
});
