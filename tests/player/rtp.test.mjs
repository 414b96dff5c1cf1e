import assert from 'node:assert/strict';
import test from 'node:test';

import { RtpLeg } from '../../player/rtp.js';
import { settled, World } from './support/world.mjs';

const VIDEO = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=msid:s v\r\na=sendonly\r\n';
const AUDIO = 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:s a\r\na=sendonly\r\na=ssrc:1 cname:c\r\n';
const UNHEARD = 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=inactive\r\n';
const SESSION = 'v=0\r\n';

/** A leg on a screen. */
class Scene {
  world = new World();
  lost = [];
  video = Object.assign(new EventTarget(), { muted: true, srcObject: null });

  constructor() {
    this.connection = new RTCPeerConnection();
    this.connection.signalingState = 'stable';
    this.leg = new RtpLeg(this.connection, { lost: (reason) => this.lost.push(reason) });
    this.feed = this.leg.feed;
    this.feed.attach(this.video, () => undefined);
  }

  async mutes(muted) {
    this.video.muted = muted;
    this.video.dispatchEvent(new Event('volumechange'));
    await settled();
  }

  get applied() {
    return this.connection.remote.map(({ sdp }) => sdp);
  }
}

const scene = (name, body) =>
  test(name, async (t) => {
    const it = new Scene();
    t.after(() => it.world.restore());
    await body(it);
  });

scene('a sound that nobody hears is not taken, and the camera is not asked', async (it) => {
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  assert.deepEqual(it.applied, [SESSION + VIDEO + UNHEARD]);
  assert.equal(it.feed.hasSound, true);
  await it.mutes(false);
  await it.mutes(false);
  await it.mutes(true);
  assert.deepEqual(it.applied.slice(1), [SESSION + VIDEO + AUDIO, SESSION + VIDEO + UNHEARD]);
});

scene('a player that is heard from the beginning takes the answer as it is', async (it) => {
  await it.mutes(false);
  assert.deepEqual(it.applied, []);
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  assert.deepEqual(it.applied, [SESSION + VIDEO + AUDIO]);
});

scene('a camera without sound has none', async (it) => {
  const none = AUDIO.replace('m=audio 9', 'm=audio 0');
  await it.leg.accept(SESSION + VIDEO + none);
  assert.deepEqual([it.applied, it.feed.hasSound], [[SESSION + VIDEO + none], false]);
});

scene('a session that is over, and one that left the screen, negotiate no more', async (it) => {
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  it.connection.signalingState = 'closed';
  await it.mutes(false);
  it.connection.signalingState = 'stable';
  it.feed.detach();
  await it.mutes(true);
  assert.equal(it.applied.length, 1);
});

scene('a sound that is turned on while the answer is being applied is taken after it', async (it) => {
  const take = it.connection.setRemoteDescription;
  it.connection.setRemoteDescription = async (description) => {
    if (it.video.muted) await it.mutes(false);
    return take.call(it.connection, description);
  };
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  assert.deepEqual(it.applied, [SESSION + VIDEO + UNHEARD, SESSION + VIDEO + AUDIO]);
});

scene('whoever changes their mind again and again gets what they wanted last', async (it) => {
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  for (const muted of [false, true, false, true, false]) void it.mutes(muted);
  await settled();
  assert.deepEqual([it.applied.at(-1), it.applied.length], [SESSION + VIDEO + AUDIO, 2]);
});

scene('a description that the browser does not take ends the session', async (it) => {
  await it.leg.accept(SESSION + VIDEO + AUDIO);
  it.connection.setRemoteDescription = () => Promise.reject(new Error('no'));
  await it.mutes(false);
  assert.deepEqual(it.lost, ['offer_failed']);
});
