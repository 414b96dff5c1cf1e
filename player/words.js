/**
 * Every state, reason and code as sentences for people: what is happening, why, what to do.
 *
 * Texts are data, looked up by the codes of PROTOCOL.md §10. A code that is newer than this file
 * falls back to the sentence that the other side sent with it.
 */

/** @typedef {'quiet' | 'busy' | 'live' | 'warning' | 'error'} Tone */
/** @typedef {{ tone: Tone, chip: string, title: string, detail: string }} Words No title: the picture says it all. */
/** @typedef {[title: string, detail: string]} Text */
/** @typedef {import('./view.js').View} View */
/** @typedef {View & { paused: boolean }} Seen */

const BY_ITSELF = 'This page keeps trying by itself.';

/** Why a join does not get on. @type {Record<string, Text>} */
const REFUSALS = {
  room_unknown: [
    'No camera under this link yet',
    `The link may be incomplete, or the camera has not come online yet. Compare the link with the one the camera printed. ${BY_ITSELF}`,
  ],
  room_full: [
    'All places are taken',
    `As many people are watching as the server allows. ${BY_ITSELF}`,
  ],
  server_unreachable: [
    'The server does not answer',
    `Check the network of this device, and that the server is running. ${BY_ITSELF}`,
  ],
  server_elsewhere_unreachable: [
    'The server does not answer this page',
    `It lets pages of other sites in only if it was started with --allow-origin and their address. If it was, check the network of this device, and that the server is running. ${BY_ITSELF}`,
  ],
  server_lost: ['The connection to the server was lost', BY_ITSELF],
  store_unavailable: ['The server has a problem of its own', `It cannot look rooms up right now. ${BY_ITSELF}`],
  too_many_connections: ['The server is busy', `Too many connections come from this network. ${BY_ITSELF}`],
  shutting_down: ['The server is restarting', BY_ITSELF],
};

/** Why the picture went, while it is being brought back. @type {Record<string, Text>} */
const LOSSES = {
  media_silent: [
    'The connection to the camera was interrupted',
    'Nothing arrives from it any more. Looking for a new way to it.',
  ],
  offline: ['This device has no network', 'The picture comes back by itself as soon as there is one.'],
  media_lost: ['The connection to the camera was lost', 'Looking for a new way to it.'],
  media_broken: ['The picture could not be decoded', `Connecting again for a fresh one. ${BY_ITSELF}`],
  no_decoder: ['This browser cannot play the stream like that', 'Connecting again for another kind of delivery.'],
  connect_timeout: [
    'No way to the camera was found',
    `A network in between may block the connection. ${BY_ITSELF} If it never works, the server needs a TURN relay.`,
  ],
  offer_failed: ['The connection could not be set up', BY_ITSELF],
  offer_refused: ['The camera refused the connection', BY_ITSELF],
  camera_stopped: ['The camera was stopped', 'The picture comes back by itself when it is started again.'],
  camera_gone: ['The camera is gone', 'It lost its connection and has not come back yet. The picture returns by itself.'],
  format_changed: ['The camera changed its picture', 'Connecting again to receive the new format.'],
  camera_full: ['All places are taken', `The camera serves no more viewers at a time. ${BY_ITSELF}`],
  answer_timeout: ['The camera did not answer', BY_ITSELF],
  offer_timeout: ['Setting up took too long', BY_ITSELF],
};

/** A connection may be lost, and a join refused, while either is under way. */
const SETBACKS = { ...REFUSALS, ...LOSSES };

/** Why it is over. @type {Record<string, Text>} */
const ENDINGS = {
  no_webrtc: [
    'This browser cannot make the connection',
    'WebRTC is switched off here, or the browser is too old. Allow WebRTC, or use another browser.',
  ],
  no_h264: [
    'This browser cannot show H.264',
    'Cameras send H.264 video, and this browser has no decoder for it. Use Chrome, Edge or Safari; in Firefox, enable the OpenH264 plugin.',
  ],
  no_decoder: [
    'This browser cannot play what the camera sends',
    'It has no decoder for this kind of H.264, H.265 or AAC. Use Chrome, Edge or Safari, or set the camera to H.264 with the profile Main.',
  ],
  no_leg: [
    'This player is too old for the camera',
    'Reload the page. If that does not help, update the server that it comes from.',
  ],
  codec_h265: [
    'This camera sends H.265',
    'This browser has no decoder for it. Set the video codec to H.264 in the camera’s settings, or use a browser that plays H.265, as Safari does.',
  ],
  b_frames: [
    'This camera sends B-frames',
    'This browser cannot show them live. Set B-frames to 0 in the camera’s settings, or use a current Chrome, Edge, Firefox or Safari.',
  ],
  room_malformed: ['This is not a link to a camera', 'Check the link: it ends with #, a room, a dot and a secret.'],
  version_unsupported: ['This page and the server differ in age', 'Reload the page. If that does not help, update the server.'],
  tls_required: ['The server wants an encrypted connection', 'Open the link with https:// instead of http://.'],
  server_forbidden: [
    'This page cannot reach the server',
    'A page over https:// needs a server with a certificate, and the address must be a valid one.',
  ],
};

/** What is the matter with the camera, unless the publisher says it better. @type {Record<string, Text>} */
const SOURCES = {
  source_unreachable: ['The camera does not answer', 'Nothing answers at its address. Is it switched on and connected?'],
  source_unauthorized: ['The camera refuses the password', 'Correct the user name or the password in the publisher’s settings.'],
  source_not_found: ['The camera knows no such stream', 'Correct the path of the stream in the publisher’s settings.'],
  source_not_a_camera: ['This is not a camera', 'Something answers at the address, but not with video.'],
  source_interrupted: ['The camera was interrupted', 'It was live and stopped sending.'],
  internal: ['The publisher has a problem of its own', 'Its log beside the camera has the details.'],
  codec_h265: ['This camera sends H.265', 'Browsers need H.264: set the video codec to H.264 in the camera’s settings.'],
  codec_unsupported: ['This camera sends a codec that browsers cannot show', 'Set the video codec to H.264 in the camera’s settings.'],
  b_frames: [
    'This camera sends B-frames',
    'Browsers cannot show them live: set B-frames to 0 in the camera’s settings, or the profile to Baseline.',
  ],
  no_video: ['This stream has no video', 'Choose another stream in the publisher’s settings.'],
  no_key_frames: [
    'This camera sends no key frames',
    'A picture can only begin with one: set the I-frame interval to 1 or 2 seconds and turn off intra refresh in the camera’s settings.',
  ],
};

/** @param {Seen} seen @returns {Words} */
export function describe(seen) {
  return WORDS[seen.state](seen);
}

/** @type {Record<View['state'], (seen: Seen) => Words>} */
const WORDS = {
  idle: () => say('quiet', 'Off', ['Not watching', '']),
  joining: (seen) => (seen.picture ? ofPicture(seen) : ofJoin(seen)),
  waiting: (seen) => (seen.picture ? ofPicture(seen) : say('busy', 'Waiting', ofWait(seen))),
  negotiating: (seen) => ofSource(seen) ?? (seen.picture ? ofPicture(seen) : ofStart(seen)),
  playing: (seen) => ofSource(seen) ?? ofPicture(seen),
  reconnecting: (seen) =>
    ofSource(seen) ?? (seen.picture ? ofPicture(seen) : say('warning', 'Reconnecting', ofLoss(seen))),
  ended: ({ reason }) =>
    say('error', 'Ended', text(ENDINGS, reason, ['The server refused', 'Reload the page to try again.'])),
};

/** @param {Seen} seen */
const ofJoin = ({ reason }) =>
  reason
    ? say('warning', 'Trying', text(SETBACKS, reason, ['The server refused', BY_ITSELF]))
    : say('busy', 'Joining', ['Joining the room', 'Asking the server for the camera.']);

/** @type {Text} */
const WAITING = [
  'Waiting for the camera',
  'It is not connected to the server right now. The picture starts by itself when it comes.',
];
const WAITING_AFTER = new Set(['camera_stopped', 'camera_gone']);

/** @param {Seen} seen @returns {Text} */
const ofWait = ({ reason }) => (reason && WAITING_AFTER.has(reason.code) ? LOSSES[reason.code] : WAITING);

/** @type {Text} */
const CONNECTING = ['Connecting to the camera', 'Looking for the shortest way between it and this browser.'];

/** Whoever has lost a picture is told why until there is another one. @param {Seen} seen */
function ofStart(seen) {
  if (seen.source?.state === 'starting') return say('busy', 'Starting', STARTING);
  const lost = seen.reason !== null && Object.hasOwn(LOSSES, seen.reason.code);
  return lost ? say('warning', 'Reconnecting', ofLoss(seen)) : say('busy', 'Connecting', CONNECTING);
}

/** @type {Text} */
const STARTING = ['The camera is starting', 'It has not shown yet what it sends. The picture comes by itself.'];

/** @param {Seen} seen @returns {Words | null} */
function ofSource({ source }) {
  const said = source && { code: source.code ?? '', message: source.message };
  if (source?.state === 'unplayable') {
    return say('error', 'Unplayable', text(SOURCES, said, ['Browsers cannot show this camera', '']));
  }
  if (source?.state !== 'lost') return null;
  const [title, detail] = text(SOURCES, said, ['The camera is reconnecting', '']);
  return say('warning', 'Camera lost', [title, `${detail} It is tried again and again.`.trim()]);
}

/** @param {Seen} seen @returns {Words} */
function ofPicture({ picture, stalled, paused, source }) {
  if (stalled) return say('warning', 'Stalled', picture ? STALLED : NO_PICTURE);
  if (paused && picture) return say('quiet', 'Paused', ['', '']);
  if (picture) return say('live', 'Live', ['', '']);
  if (source?.state === 'starting') return say('busy', 'Starting', ['The camera is starting', 'Connected to it; the first picture comes soon.']);
  return say('busy', 'Connected', ['Connected', 'The first picture is on its way.']);
}

/** @type {Text} */
const STALLED = ['The picture has stalled', 'The connection is there, but no new picture has come for some seconds.'];
/** @type {Text} */
const NO_PICTURE = ['No picture arrives', 'The connection is there, but the camera has not sent a picture yet.'];

/** @param {Seen} seen @returns {Text} */
const ofLoss = ({ reason }) =>
  text(SETBACKS, reason, ['The session ended', `Joining again. ${BY_ITSELF}`]);

/**
 * Our title for the code, and the other side's sentence where it sent one about this very case.
 *
 * @param {Record<string, Text>} texts
 * @param {import('./view.js').Reason | null} said
 * @param {Text} otherwise
 * @returns {Text}
 */
function text(texts, said, otherwise) {
  const known = said && Object.hasOwn(texts, said.code) ? texts[said.code] : null;
  // What the server says of a refusal is meant for programs too; ours knows what the page does.
  if (known && texts !== SOURCES && said?.code !== 'offer_refused') return known;
  return [(known ?? otherwise)[0], said?.message || (known ?? otherwise)[1]];
}

/** @param {Tone} tone @param {string} chip @param {Text} text @returns {Words} */
const say = (tone, chip, [title, detail]) => ({ tone, chip, title, detail });
