import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';

import { Screen } from '../../player/screen.js';

/** A video element that never has a picture until it is told. */
class Video extends EventTarget {
  srcObject = null;
  videoWidth = 0;
  #handles = 0;
  callbacks = new Map();

  async play() {}

  requestVideoFrameCallback(callback) {
    this.callbacks.set((this.#handles += 1), callback);
    return this.#handles;
  }

  cancelVideoFrameCallback(handle) {
    this.callbacks.delete(handle);
  }

  /** How many are waiting for a picture. */
  get awaited() {
    return this.callbacks.size + getEventListeners(this, 'loadeddata').length;
  }
}

class Scene {
  video = new Video();
  pictured = 0;
  screen = new Screen(this.video, {}, { pictured: () => (this.pictured += 1), changed: () => undefined });

  show(current = true) {
    const feed = { current, hasSound: false, attach: () => undefined, detach: () => undefined };
    this.screen.show(feed);
    return feed;
  }
}

test('sessions without a picture leave nothing behind that waits for one', () => {
  const it = new Scene();
  for (let session = 0; session < 5; session += 1) {
    it.show();
    assert.equal(it.video.awaited, 2);
    it.screen.freeze();
    assert.equal(it.video.awaited, 0);
  }
});

test('a session’s first picture is told once, however it shows', () => {
  const it = new Scene();
  it.show();
  it.video.dispatchEvent(new Event('loadeddata'));
  assert.deepEqual([it.pictured, it.video.awaited], [1, 0]);
  it.show();
  for (const callback of [...it.video.callbacks.values()]) callback();
  it.video.dispatchEvent(new Event('loadeddata'));
  assert.equal(it.pictured, 2);
});

test('a picture that is not live yet is no picture', () => {
  const it = new Scene();
  const feed = it.show(false);
  for (const callback of [...it.video.callbacks.values()]) callback();
  it.video.dispatchEvent(new Event('loadeddata'));
  assert.equal(it.pictured, 0);
  feed.current = true;
  it.video.dispatchEvent(new Event('seeked'));
  assert.deepEqual([it.pictured, getEventListeners(it.video, 'seeked').length], [1, 0]);
});

test('one feed gives way to the next, and all of them to nothing', () => {
  const it = new Scene();
  const told = [];
  const feed = (name) => ({
    current: true,
    hasSound: true,
    attach: (video) => told.push(`${name} on ${video === it.video}`),
    detach: () => told.push(`${name} off`),
  });
  it.screen.show(feed('first'));
  it.screen.show(feed('second'));
  Object.assign(it.screen.still, { width: 1, height: 1 });
  it.screen.clear();
  assert.deepEqual(told, ['first on true', 'first off', 'second on true', 'second off']);
  assert.deepEqual([it.screen.hasSound, it.screen.paused], [false, false]);
});
