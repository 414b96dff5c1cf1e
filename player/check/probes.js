/** What only a browser can try: codecs, addresses, STUN and TURN. Each probe ends by itself. */

/** @typedef {import('../wire.js').IceServer} IceServer */
/** @typedef {import('./judges.js').Transport} Transport */

const HOSTS_WITHIN = 3_000; // ms
const SERVER_WITHIN = 6_000; // ms; browsers themselves take ten seconds to give a silent one up

/** @returns {import('./judges.js').Browser} */
export const browser = () => ({
  secure: isSecureContext,
  webrtc: typeof RTCPeerConnection === 'function',
  online: navigator.onLine,
});

/** @returns {import('./judges.js').Codecs} */
export const codecs = () => ({
  h264: receives('video', 'video/h264'),
  opus: receives('audio', 'audio/opus'),
  fmp4: plays('video/mp4; codecs="avc1.64001f,mp4a.40.2"'),
  h265: plays('video/mp4; codecs="hvc1.1.6.L93.B0"'),
});

/** @param {'audio' | 'video'} kind @param {string} type */
function receives(kind, type) {
  if (typeof RTCRtpReceiver !== 'function') return false;
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  return known.some(({ mimeType }) => mimeType.toLowerCase() === type);
}

/** @param {string} type */
function plays(type) {
  const sources = /** @type {any} */ (globalThis);
  return Boolean((sources.ManagedMediaSource ?? sources.MediaSource)?.isTypeSupported(type));
}

/** What the browser would tell a camera of this device. @returns {Promise<import('./judges.js').Addresses>} */
export async function addresses() {
  const { candidates } = await gather({ iceServers: [] }, () => false, HOSTS_WITHIN);
  const hosts = candidates.filter(({ type }) => type === 'host').map(({ address }) => address ?? '');
  return {
    hosts: hosts.length,
    hidden: hosts.filter((address) => address.endsWith('.local')).length,
    six: hosts.filter((address) => address.includes(':')).length,
  };
}

/** @param {string} url @returns {Promise<import('./judges.js').Stun>} */
export async function stun(url) {
  const seen = await gather({ iceServers: [{ urls: [url] }] }, ({ type }) => type === 'srflx', SERVER_WITHIN);
  const reflexive = seen.candidates.find(({ type }) => type === 'srflx');
  return {
    url,
    transport: transportOf(url),
    refused: seen.refused,
    reflexive: reflexive?.address ?? '',
    // One that says what the browser knew already adds no candidate, and no error either.
    answered: Boolean(reflexive) || (seen.complete && !seen.refused),
  };
}

/** Two connections that may use nothing but this relay. @param {string} url @param {IceServer} server @returns {Promise<import('./judges.js').Turn>} */
export async function turn(url, server) {
  /** @type {RTCConfiguration} */
  const configuration = { iceServers: [{ ...server, urls: [url] }], iceTransportPolicy: 'relay' };
  const near = new RTCPeerConnection(configuration);
  const far = new RTCPeerConnection(configuration);
  const seen = { allocated: false, refused: 0 };
  near.addEventListener('icecandidate', ({ candidate }) => (seen.allocated ||= Boolean(candidate?.candidate)));
  near.addEventListener('icecandidateerror', ({ errorCode }) => (seen.refused ||= errorCode));
  try {
    return { url, transport: transportOf(url), roundTrip: await roundTrip(near, far), ...seen };
  } finally {
    near.close();
    far.close();
  }
}

/** Milliseconds there and back over a data channel; null when nothing came. @param {RTCPeerConnection} near @param {RTCPeerConnection} far */
async function roundTrip(near, far) {
  const channel = near.createDataChannel('check');
  far.ondatachannel = ({ channel: other }) => (other.onmessage = ({ data }) => other.send(data));
  for (const [one, other] of [[near, far], [far, near]]) {
    one.addEventListener('icecandidate', ({ candidate }) => candidate && other.addIceCandidate(candidate).catch(() => {}));
  }
  const opened = within(SERVER_WITHIN, (done) => {
    channel.onopen = () => done(true);
    near.addEventListener('icegatheringstatechange', () => stopWithout(near, done));
  });
  await near.setLocalDescription();
  await far.setRemoteDescription(/** @type {RTCSessionDescription} */ (near.localDescription));
  await far.setLocalDescription();
  await near.setRemoteDescription(/** @type {RTCSessionDescription} */ (far.localDescription));
  return (await opened) ? echoed(channel) : null;
}

/** Nothing will come of a relay that has lent nothing. @param {RTCPeerConnection} connection @param {(value: boolean | null) => void} done */
function stopWithout(connection, done) {
  const lent = connection.localDescription?.sdp.includes('a=candidate') ?? false;
  if (connection.iceGatheringState === 'complete' && !lent) done(null);
}

/** @param {RTCDataChannel} channel @returns {Promise<number | null>} */
async function echoed(channel) {
  const said = performance.now();
  const came = within(SERVER_WITHIN, (done) => (channel.onmessage = () => done(true)));
  channel.send('check');
  return (await came) ? performance.now() - said : null;
}

/**
 * Candidates until one is enough, or all are there, or time is up.
 *
 * @param {RTCConfiguration} configuration
 * @param {(candidate: RTCIceCandidate) => boolean} enough
 * @param {number} patience milliseconds
 */
async function gather(configuration, enough, patience) {
  const connection = new RTCPeerConnection(configuration);
  const seen = { candidates: /** @type {RTCIceCandidate[]} */ ([]), refused: 0, complete: false };
  connection.addEventListener('icecandidateerror', ({ errorCode }) => (seen.refused ||= errorCode));
  const over = within(patience, (done) => {
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) seen.candidates.push(candidate);
      if (candidate?.candidate && enough(candidate)) done(true);
      if (candidate === null) done(true);
    };
  });
  connection.createDataChannel('check');
  await connection.setLocalDescription();
  await over;
  seen.complete = connection.iceGatheringState === 'complete';
  connection.close();
  return seen;
}

/**
 * What `begin` is done with; null when time is up.
 *
 * @param {number} patience milliseconds
 * @param {(done: (value: boolean | null) => void) => void} begin
 * @returns {Promise<boolean | null>}
 */
function within(patience, begin) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), patience);
    begin((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

/** Of a STUN or TURN URL (RFC 7064, RFC 7065). @param {string} url @returns {Transport} */
export function transportOf(url) {
  if (/^(stuns|turns):/.test(url)) return 'TLS';
  return url.endsWith('?transport=tcp') ? 'TCP' : 'UDP';
}
