/** From what the probes saw to findings. Pure: no browser is asked here. */

import { beside, fault, note, warning, well } from './findings.js';

/** @typedef {import('./findings.js').Finding} Finding */

// ── this browser ─────────────────────────────────────────────────────────────────────────────

/** @typedef {{ secure: boolean, webrtc: boolean, online: boolean }} Browser */

/** @param {Browser} browser @returns {Finding[]} */
export function judgeBrowser({ secure, webrtc, online }) {
  return [
    secure ? well('secure', 'The browser trusts where this page comes from, and gives it all features.') : CLEAR,
    webrtc ? well('webrtc', 'WebRTC, which carries the picture, is there.') : NO_WEBRTC,
    ...(online ? [] : [OFFLINE]),
  ];
}

const CLEAR = note(
  'page_in_clear',
  'The page came over http://, unencrypted.',
  'The picture itself is always encrypted; some browsers keep a few features from such pages.',
  'Give the server a certificate, and open it with https://.',
);
const NO_WEBRTC = fault(
  'no_webrtc',
  'WebRTC is missing or switched off.',
  'No picture can come.',
  'Allow WebRTC in the settings or in privacy extensions, or use a current Chrome, Edge, Firefox or Safari.',
);
const OFFLINE = fault('offline', 'The browser says that it is offline.', 'Nothing can come.', 'Check Wi-Fi or mobile data.');

/** @typedef {{ h264: boolean, opus: boolean, fmp4: boolean, h265: boolean }} Codecs */

/** @param {Codecs} codecs @returns {Finding[]} */
export function judgeCodecs({ h264, opus, fmp4, h265 }) {
  return [
    picture(h264, fmp4),
    opus || fmp4 ? well('sound', 'Sound: it plays what cameras send.') : NO_SOUND,
    h265
      ? well('h265', 'H.265, which some cameras send, plays here too.')
      : note('no_h265', 'H.265 does not play here.', 'Cameras that send nothing else show no picture in this browser.'),
  ];
}

/** @param {boolean} h264 over WebRTC @param {boolean} fmp4 over Media Source Extensions */
function picture(h264, fmp4) {
  if (h264 && fmp4) return well('h264', 'H.264, which cameras send, plays in both ways that there are.');
  if (h264) return note('no_mse', 'H.264 plays over WebRTC; Media Source Extensions are missing.', 'Cameras with B-frames or H.265 show no picture here.');
  return fmp4 ? NO_RTC_H264 : NO_H264;
}

const NO_RTC_H264 = note(
  'no_h264_webrtc',
  'H.264 plays over Media Source Extensions only.',
  'The picture comes a quarter of a second later.',
  'In Firefox, enable the OpenH264 plugin.',
);
const NO_H264 = fault(
  'no_h264',
  'This browser has no decoder for H.264.',
  'Cameras send nothing else: no picture can be shown.',
  'Use Chrome, Edge or Safari; in Firefox, enable the OpenH264 plugin.',
);
const NO_SOUND = warning('no_sound', 'This browser plays neither Opus nor AAC.', 'The picture is mute.', 'Use a current browser.');

// ── the server ───────────────────────────────────────────────────────────────────────────────

/** @typedef {{ http: boolean, draining: boolean, welcome: boolean, apart: number | null }} Server `apart`: seconds by which our clock is ahead. */

/** @param {Server} server @returns {Finding[]} */
export function judgeServer({ http, draining, welcome, apart }) {
  if (!http && !welcome) return [UNREACHABLE];
  return [
    http ? well('http', 'The server answers.') : NO_HTTP,
    welcome ? well('websocket', 'A WebSocket, over which this page hears of the camera, stays open.') : NO_WEBSOCKET,
    ...(draining ? [note('shutting_down', 'The server is restarting.', 'New viewers get in a moment later.')] : []),
    ...clock(apart),
  ];
}

const UNREACHABLE = fault(
  'server_unreachable',
  'The server does not answer.',
  'The page cannot find the camera.',
  'Check the network of this device, and that the server is running.',
);
const NO_HTTP = warning('http_blocked', 'A WebSocket works, but plain requests are not answered.', '', 'A proxy or an extension may block them.');
const NO_WEBSOCKET = fault(
  'websocket_blocked',
  'The server answers, but a WebSocket to it does not open.',
  'The page cannot find the camera.',
  'A proxy in between must pass WebSockets on (Upgrade); company networks often let them pass over https:// only.',
);

const CLOCK_SECONDS = 60; // apart; certificates and credentials bear less

/** @param {number | null} apart @returns {Finding[]} */
function clock(apart) {
  if (apart === null || Math.abs(apart) <= CLOCK_SECONDS) return [];
  const minutes = Math.round(Math.abs(apart) / 60);
  const way = apart > 0 ? 'ahead of' : 'behind';
  return [
    note('clock_wrong', `The clock of this device is ${minutes} min ${way} the server’s.`, 'If it is off by days, https:// fails.', 'Let it set its time by itself.'),
  ];
}

// ── the room ─────────────────────────────────────────────────────────────────────────────────

/** @typedef {{ type: 'joined' | 'waiting' | 'none' | 'error', code: string, message: string, state: string }} Admission */

/** @param {Admission} admission @returns {Finding[]} */
export function judgeRoom({ type, code, message, state }) {
  if (type === 'none') return [NO_ROOM];
  if (type === 'waiting') return [AWAY];
  if (type === 'error') return [REFUSALS[code] ?? fault(code, message || 'The server refuses.', 'No picture comes.')];
  const admitted = well('room', 'The link is right, and the room let this browser in.');
  return state === 'live' ? [admitted, well('camera', 'The camera is live.')] : [admitted, lost(code, message)];
}

const NO_ROOM = note(
  'no_room',
  'Without a camera’s link the STUN and TURN servers are not tested: the server tells them to its viewers only.',
  '',
  'Paste the link above.',
);
const AWAY = warning(
  'camera_away',
  'The link is right, but the camera is not connected.',
  'The picture comes when the camera does. Until then STUN and TURN cannot be tested.',
  'Start the publisher beside the camera; “publisher doctor” finds there what keeps it away.',
);

/** @type {Record<string, Finding>} */
const REFUSALS = {
  room_unknown: fault('room_unknown', 'There is no camera under this link.', 'No picture comes.', 'Compare the link with the one that the publisher printed; it may be cut off at its end.'),
  room_full: warning('room_full', 'All places in the room are taken.', 'The picture comes when somebody leaves.', 'Close other windows that show it.'),
  store_unavailable: fault('store_unavailable', 'The server cannot look rooms up right now.', 'No picture comes.', 'Its owner should run “rendezvous doctor”.'),
  server_silent: fault('server_silent', 'The server does not answer to the room’s name.', 'No picture comes.', 'Try again in a minute.'),
};

/** @param {string} code @param {string} message */
const lost = (code, message) =>
  warning(code || 'camera_lost', message || 'The camera’s picture has not come to its publisher yet.', 'There is no picture to show.', '“publisher doctor” tells why, beside the camera.');

// ── ways to the camera ───────────────────────────────────────────────────────────────────────

/** @typedef {{ hosts: number, hidden: number, six: number }} Addresses How many; `hidden` behind mDNS names. */

/** @param {Addresses} addresses @returns {Finding[]} */
export function judgeAddresses({ hosts, hidden, six }) {
  if (!hosts) return [NO_ADDRESSES];
  const how = hidden === hosts ? ', under names that hide them (.local), as browsers do' : '';
  return [well('addresses', `The browser offers addresses of this device${how}${six ? '; IPv6 is among them' : ''}.`)];
}

const NO_ADDRESSES = warning(
  'no_addresses',
  'The browser offers no address of this device.',
  'A direct connection, also in the camera’s own network, is hardly possible.',
  'A VPN, a privacy extension or a company policy hides them; allow WebRTC for this page.',
);

/** @typedef {'UDP' | 'TCP' | 'TLS'} Transport */
/** @typedef {{ url: string, transport: Transport, refused: number, reflexive: string, answered: boolean }} Stun */
/** @typedef {{ url: string, transport: Transport, refused: number, allocated: boolean, roundTrip: number | null }} Turn */

/** @param {Stun} outcome @returns {Finding[]} */
export function judgeStun({ answered, reflexive }) {
  if (!answered) return [SILENT_STUN];
  const found = well('stun', 'It answers and tells this browser how it looks from outside.');
  return [reflexive ? beside(found, `From outside you are ${reflexive}.`) : found];
}

const SILENT_STUN = warning(
  'stun_silent',
  'It does not answer.',
  'Outside of the camera’s network a direct connection may not come about.',
  'This network may block UDP; try another one, as that of a phone.',
);

/** @type {Record<Transport, string>} */
const SILENT_TURN = {
  UDP: 'Try another network, as that of a phone: this one may block UDP.',
  TCP: 'Try another network: this one may block the port, or the server is down.',
  TLS: 'Try another network: this one may block the port; or the server is down, or this browser does not believe its certificate.',
};

/** @param {Turn} outcome @returns {Finding[]} */
export function judgeTurn({ transport, refused, allocated, roundTrip }) {
  if (roundTrip !== null) return [well('turn', `It relays over ${transport}: a round trip took ${roundTrip.toFixed(0)} ms.`)];
  if (allocated) return [RELAYS_NOTHING];
  if (refused === 401) return [CREDENTIALS];
  return [
    warning(
      'turn_silent',
      `It gives this browser no address over ${transport}.`,
      `The relay cannot be used over ${transport} from here.`,
      SILENT_TURN[transport],
    ),
  ];
}

const CREDENTIALS = fault(
  'turn_credentials',
  'It refuses the credentials that the server has made.',
  'Whoever needs a relay sees no picture.',
  'The server’s owner should run “rendezvous doctor”: the secret or a clock is wrong.',
);
const RELAYS_NOTHING = fault(
  'turn_relays_nothing',
  'It lends an address, but what is sent there does not arrive.',
  'Whoever needs a relay sees no picture.',
  'The server’s owner should open the relay’s UDP ports, and run “rendezvous doctor”.',
);

/**
 * What the servers together mean for the picture.
 *
 * @param {{ stun: Stun[], turn: Turn[], policy: 'all' | 'relay' }} outcomes
 * @returns {Finding[]}
 */
export function judgeWays({ stun, turn, policy }) {
  const relays = turn.filter(({ roundTrip }) => roundTrip !== null);
  const found = relays.length ? [well('relay', 'A relay works: the picture comes even where no direct way is.')] : [noRelay(turn, policy)];
  return udpBlocked(stun, turn) ? [...found, relays.length ? UDP_BLOCKED : NO_UDP] : found;
}

/** @param {Turn[]} turn @param {'all' | 'relay'} policy */
function noRelay(turn, policy) {
  if (policy === 'relay') return RELAY_ONLY;
  return turn.length ? NO_RELAY : NO_TURN;
}

const RELAY_ONLY = fault(
  'relay_only_without_turn',
  'This room wants everything to go through a relay, and none works.',
  'No picture comes.',
  'The server’s owner should run “rendezvous doctor”.',
);
const NO_RELAY = fault(
  'no_relay',
  'No relay works from here.',
  'Unless this browser finds a direct way to the camera, no picture comes.',
  'Try another network; the server’s owner should run “rendezvous doctor”.',
);
const NO_TURN = warning(
  'no_turn',
  'The server has no TURN relay.',
  'Where there is no direct way to the camera, for about one viewer in five, no picture comes.',
  'The server’s owner can set one up: --turn.',
);

/** Nothing over UDP came back from anybody. @param {Stun[]} stun @param {Turn[]} turn */
function udpBlocked(stun, turn) {
  const over = [
    ...stun.filter(({ transport }) => transport === 'UDP').map(({ answered }) => answered),
    ...turn.filter(({ transport }) => transport === 'UDP').map(({ allocated, refused }) => allocated || refused === 401),
  ];
  return over.length > 0 && !over.includes(true);
}

const UDP_BLOCKED = warning(
  'udp_blocked',
  'Nothing answers over UDP: this network seems to let none out.',
  'The picture comes through a relay over TCP: later, and jerky on a bad line.',
  'Try another network, or ask its owner to let UDP out.',
);
const NO_UDP = fault(
  'udp_blocked',
  'Nothing answers over UDP, and no relay works over TCP.',
  'Only a camera in this very network can be seen.',
  'Try another one, as that of a phone; if it is the same there, the server’s owner should run “rendezvous doctor”.',
);

/** A step that this browser could not take. @param {unknown} error */
export const defect = (error) =>
  fault('internal', `This browser could not do it (${error instanceof Error ? error.name : 'unknown'}).`, '', 'Reload the page; if that does not help, use another browser.');
