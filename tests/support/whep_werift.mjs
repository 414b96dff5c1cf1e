/**
 * A WHEP player on werift, a WebRTC stack in TypeScript: node whep_werift.mjs <werift> <url> <token>
 *
 * Writes each access unit that it receives to standard output, in Annex B form after its length in
 * four bytes. Ends the session and itself when standard input ends.
 */
import { pathToFileURL } from 'node:url';

const [library, url, token] = process.argv.slice(2);
const { H264RtpPayload, RTCPeerConnection, useH264, useOPUS } = await import(
  pathToFileURL(library)
);

const connection = new RTCPeerConnection({
  iceServers: [],
  bundlePolicy: 'max-bundle',
  codecs: { video: [useH264()], audio: [useOPUS()] },
});

class AccessUnits {
  #parts = [];
  #fragment;

  add({ header, payload }) {
    const unit = H264RtpPayload.deSerialize(payload, this.#fragment);
    this.#fragment = unit.fragment;
    if (unit.payload) this.#parts.push(unit.payload);
    if (header.marker) this.#write(Buffer.concat(this.#parts.splice(0)));
  }

  #write(unit) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(unit.length);
    process.stdout.write(Buffer.concat([length, unit]));
  }
}

connection.onTrack.subscribe((track) => {
  if (track.kind !== 'video') return;
  const units = new AccessUnits();
  track.onReceiveRtp.subscribe((packet) => units.add(packet));
});
connection.addTransceiver('video', { direction: 'recvonly' });
connection.addTransceiver('audio', { direction: 'recvonly' });

await connection.setLocalDescription(await connection.createOffer());
const response = await fetch(url, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
  body: connection.localDescription.sdp,
});
const answer = await response.text();
if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
await connection.setRemoteDescription({ type: 'answer', sdp: answer });

process.stdin.resume();
process.stdin.on('end', async () => {
  const session = new URL(response.headers.get('Location'), url);
  const headers = { Authorization: `Bearer ${token}` };
  const deleted = await fetch(session, { method: 'DELETE', headers });
  process.exit(deleted.ok ? 0 : 1);
});
