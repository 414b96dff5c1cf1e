import assert from 'node:assert/strict';
import test from 'node:test';

import { MseFeed } from '../../player/mse-feed.js';
import { init, picture } from './support/boxes.mjs';
import { browserBuffer } from './support/media-source.mjs';

const MIME = 'video/mp4; codecs="avc1.64001f,mp4a.40.2"';
const VIDEO_ONLY = 'video/mp4; codecs="avc1.64001f"';

/** A feed on a screen, in a browser whose source opens at once. */
class Scene {
  told = [];

  constructor({ opens = true, ...options } = {}) {
    this.browser = browserBuffer(options);
    this.feed = new MseFeed({
      replay: () => this.told.push('replay'),
      failed: (failure) => this.told.push(failure),
    });
    this.feed.attach(this.browser.video, () => undefined);
    this.source = this.browser.source;
    if (opens) this.source.opens();
  }

  get video() {
    return this.browser.video;
  }

  get buffer() {
    return this.source.buffers[0];
  }

  /** The stream begins at 100 s and has so many seconds already. */
  begin(mime = MIME, seconds = 8) {
    this.feed.begin(mime);
    this.feed.append(init());
    this.feed.append(picture(100, { key: true }));
    this.buffer.done(100, 100 + seconds);
  }

  goLive(...how) {
    this.begin(...how);
    this.feed.live();
    this.video.arrives();
  }
}

const scene = (name, body, options) =>
  test(name, (t) => {
    const it = new Scene(options);
    t.after(() => it.browser.restore());
    body(it);
  });

scene('the picture counts only when all that was sent before is in the buffer, at a short distance', (it) => {
  it.begin();
  assert.deepEqual([it.video.currentTime, it.feed.current], [0, false]);
  it.video.arrives();
  assert.equal(it.feed.current, false);
  it.feed.live();
  assert.deepEqual([it.video.currentTime, it.feed.current], [107.8, false]);
  it.video.arrives();
  assert.deepEqual([it.feed.current, it.feed.hasSound, it.source.duration, it.buffer.mode], [true, true, Infinity, 'segments']);
});

scene('what comes while the buffer works is appended as one piece', (it) => {
  it.feed.begin(MIME);
  const first = init();
  it.feed.append(first);
  it.feed.append(picture(100, { key: true }));
  it.feed.append(picture(100.1));
  assert.deepEqual(it.buffer.appended.map(({ length }) => length), [first.length]);
  it.buffer.done(100, 100);
  assert.equal(it.buffer.appended[1].length, picture(100, { key: true }).length + picture(100.1).length);
});

scene('a picture that drifts behind is caught up with, by pace and then by a jump', (it) => {
  it.goLive();
  it.feed.append(picture(108));
  it.buffer.done(100, 108.1);
  assert.equal(it.video.playbackRate, 1.05);
  it.feed.append(picture(109));
  it.buffer.done(100, 110);
  assert.deepEqual([it.video.currentTime, it.video.playbackRate], [109.8, 1]);
});

scene('a paused picture is left alone, and brought back when it plays', (it) => {
  it.goLive();
  it.video.paused = true;
  it.feed.append(picture(120));
  it.buffer.done(100, 120);
  assert.equal(it.video.currentTime, 107.8);
  it.video.paused = false;
  it.video.dispatchEvent(new Event('play'));
  assert.equal(it.video.currentTime, 119.8);
});

scene('what is long past is removed, up to a key frame and never beyond the last', (it) => {
  it.goLive();
  it.feed.append(picture(130));
  it.buffer.done(100, 130);
  it.video.arrives();
  it.feed.append(picture(131));
  it.buffer.done(100, 131);
  assert.deepEqual(it.buffer.removed, []);
  it.feed.append(picture(118, { key: true }));
  it.buffer.done(100, 131);
  assert.deepEqual(it.buffer.removed, [[0, 118]]);
});

scene('another format goes on in the same buffer', (it) => {
  it.goLive();
  it.feed.begin('video/mp4; codecs="avc1.4d0020,mp4a.40.2"');
  assert.deepEqual(it.buffer.types, ['video/mp4; codecs="avc1.4d0020,mp4a.40.2"']);
  assert.deepEqual([it.feed.suits(VIDEO_ONLY), it.feed.suits(MIME)], [false, true]);
});

scene('without sound the distance is shorter', (it) => {
  it.goLive(VIDEO_ONLY);
  assert.deepEqual([it.video.currentTime, it.feed.hasSound], [107.95, false]);
});

scene('a full buffer makes room and takes the same bytes again', (it) => {
  it.goLive();
  it.feed.append(picture(107, { key: true }));
  it.buffer.done(100, 108);
  it.buffer.full = true;
  it.feed.append(picture(108.1, { key: true, payload: 99 }));
  assert.deepEqual(it.buffer.removed, [[0, 107]]);
  it.buffer.full = false;
  it.buffer.done(107, 108);
  assert.equal(it.buffer.appended.at(-1).length, picture(108.1, { payload: 99 }).length);
  assert.deepEqual(it.told, []);
});

scene('a buffer that is full of what is needed, or that fails, is broken, and said so once', (it) => {
  it.goLive();
  it.buffer.full = true;
  it.feed.append(picture(108.1));
  it.buffer.dispatchEvent(new Event('error'));
  it.video.dispatchEvent(new Event('error'));
  assert.deepEqual(it.told, ['broken']);
});

scene('a stream that the browser does not play is said to be unplayable', (it) => {
  it.feed.begin(MIME);
  assert.deepEqual([it.told, it.source.buffers.length], [['unplayable'], 0]);
}, { plays: false });

for (const [thrown, failure] of [['NotSupportedError', 'unplayable'], ['QuotaExceededError', 'broken'], ['InvalidStateError', 'broken']]) {
  scene(`a buffer that cannot be had for a ${thrown} is said to be ${failure}`, (it) => {
    it.source.throws = thrown;
    it.feed.begin(MIME);
    it.feed.append(init());
    assert.deepEqual(it.told, [failure]);
  });

  scene(`a buffer that cannot change its type for a ${thrown} is said to be ${failure}`, (it) => {
    it.goLive();
    it.source.throws = thrown;
    it.feed.begin('video/mp4; codecs="avc1.4d0020,mp4a.40.2"');
    assert.deepEqual(it.told, [failure]);
  });
}

scene('a source is let go of when it has opened', (it) => {
  assert.equal(it.browser.urls, 0);
  it.feed.detach(it.video);
  assert.equal(it.browser.urls, 0);
});

scene('a source that was closed before it opened is let go of as well', (it) => {
  assert.equal(it.browser.urls, 1);
  it.feed.detach(it.video);
  assert.equal(it.browser.urls, 0);
}, { opens: false });

scene('a queue that overflows lets the camera begin anew, and takes nothing in between', (it) => {
  it.goLive();
  const { length } = it.buffer.appended;
  it.feed.append(picture(109));
  const megabyte = new Uint8Array(1 << 20);
  for (let n = 0; n < 33; n += 1) it.feed.append(megabyte);
  assert.deepEqual(it.told, ['replay']);
  it.feed.append(picture(110));
  it.buffer.done(100, 109);
  assert.equal(it.buffer.appended.length, length + 1);
  it.feed.begin(MIME);
  it.feed.append(init());
  assert.equal(it.buffer.appended.length, length + 2);
});

scene('a managed source that wants nothing gets nothing; what was missed is asked for', (it) => {
  it.feed.begin(MIME);
  it.feed.append(init());
  assert.equal(it.source.buffers.length, 0);
  it.source.dispatchEvent(new Event('startstreaming'));
  assert.equal(it.buffer.appended.length, 1);
  it.source.dispatchEvent(new Event('endstreaming'));
  for (let n = 0; n < 33; n += 1) it.feed.append(new Uint8Array(1 << 20));
  assert.deepEqual(it.told, []);
  it.source.dispatchEvent(new Event('startstreaming'));
  assert.deepEqual(it.told, ['replay']);
}, { managed: true });

scene('every time that it runs dry the distance grows, but not on the way to the live picture', (it) => {
  it.begin();
  it.video.dispatchEvent(new Event('waiting'));
  assert.equal(it.feed.look().dried, 0);
  it.feed.live();
  it.video.arrives();
  it.video.dispatchEvent(new Event('waiting'));
  assert.equal(it.feed.look().dried, 1);
});

scene('the statistics know how much is ahead of the picture, once it is live', (it) => {
  assert.equal(it.feed.look().lag, null);
  it.goLive();
  const { lag, mime, pictures } = it.feed.look();
  assert.deepEqual([Math.round(1000 * lag), mime, pictures], [200, MIME, 1]);
});

scene('a feed that is taken off the screen leaves nothing there, and hears nothing more', (it) => {
  it.goLive();
  it.video.playbackRate = 1.5;
  it.feed.detach(it.video);
  assert.deepEqual([it.video.src, it.video.playbackRate], ['', 1]);
  it.video.dispatchEvent(new Event('error'));
  it.feed.append(picture(108));
  assert.deepEqual(it.told, []);
});
