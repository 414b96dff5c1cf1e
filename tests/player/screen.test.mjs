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

  show() {
    this.screen.show({ getAudioTracks: () => [] });
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
