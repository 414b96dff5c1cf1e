/** The road from this browser to the camera, step by step; what can be tried at once is. */

import * as judge from './judges.js';
import * as probes from './probes.js';
import { Conversation, health } from './server.js';

/** @typedef {import('./findings.js').Finding} Finding */
/** @typedef {import('../link.js').Link} Link */
/** @typedef {{ title: string, detail: string, findings: Promise<Finding[]> }} Stretch One that has begun. */
/** @typedef {import('../wire.js').Joined} Joined */

/**
 * Walks it. Each stretch is given out as it begins; the walk goes on when it must know the end.
 *
 * @param {Link | null} link
 * @returns {AsyncGenerator<Stretch, void>}
 */
export async function* walk(link) {
  const browser = probes.browser();
  yield done('This browser', judge.judgeBrowser(browser));
  yield done('Picture and sound', judge.judgeCodecs(probes.codecs()));
  if (browser.webrtc) yield stretch('Addresses of this device', '', probes.addresses().then(judge.judgeAddresses));
  const conversation = new Conversation();
  let session = null;
  try {
    const greeting = greet(conversation);
    yield stretch('The server', location.host, greeting.then(({ findings }) => findings));
    if (!(await greeting).welcome) return;
    const admission = enter(conversation, link);
    yield stretch('The camera’s room', '', admission.then(({ facts }) => judge.judgeRoom(facts)));
    const { joined } = await admission;
    session = joined?.session ?? null;
    if (joined && browser.webrtc) yield* ways(joined);
  } finally {
    conversation.close(session);
  }
}

/** @param {Conversation} conversation */
async function greet(conversation) {
  const [answered, welcome] = await Promise.all([health(), conversation.open()]);
  return { welcome, findings: judge.judgeServer({ ...answered, welcome }) };
}

/**
 * @param {Conversation} conversation
 * @param {Link | null} link
 * @returns {Promise<{ facts: judge.Admission, joined: Joined | null }>}
 */
async function enter(conversation, link) {
  if (!link) return { facts: { type: 'none', code: '', message: '', state: '' }, joined: null };
  const answer = await conversation.join(link);
  if (answer?.type === 'joined') {
    const { state, code, message } = answer.source;
    return { facts: { type: 'joined', code: code ?? '', message, state }, joined: answer };
  }
  if (answer?.type === 'waiting') return { facts: { type: 'waiting', code: '', message: '', state: '' }, joined: null };
  const refusal = answer?.type === 'error' ? answer : { code: 'server_silent', message: '' };
  return { facts: { type: 'error', code: refusal.code, message: refusal.message, state: '' }, joined: null };
}

/** All servers at once: a silent one takes seconds. @param {Joined} joined @returns {AsyncGenerator<Stretch, void>} */
async function* ways({ ice_servers, ice_policy }) {
  const urls = ice_servers.flatMap((server) => server.urls.map((url) => ({ url, server })));
  const stun = urls.filter(({ url }) => url.startsWith('stun')).map(({ url }) => ({ url, outcome: probes.stun(url) }));
  const turn = urls.filter(({ url }) => url.startsWith('turn')).map(({ url, server }) => ({ url, outcome: probes.turn(url, server) }));
  for (const { url, outcome } of stun) yield stretch('STUN server', url, outcome.then(judge.judgeStun));
  for (const { url, outcome } of turn) yield stretch('Relay', url, outcome.then(judge.judgeTurn));
  const all = Promise.all([Promise.all(stun.map(({ outcome }) => outcome)), Promise.all(turn.map(({ outcome }) => outcome))]);
  const together = all.then(([stuns, turns]) => judge.judgeWays({ stun: stuns, turn: turns, policy: ice_policy }));
  yield stretch('Ways to the camera', '', together);
  await together;
}

/** @param {string} title @param {string} detail @param {Promise<Finding[]>} findings @returns {Stretch} */
const stretch = (title, detail, findings) => ({ title, detail, findings: findings.catch((error) => [judge.defect(error)]) });

/** @param {string} title @param {Finding[]} findings */
const done = (title, findings) => stretch(title, '', Promise.resolve(findings));
