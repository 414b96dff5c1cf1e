import assert from 'node:assert/strict';
import test from 'node:test';

import { Pulse } from '../../player/pulse.js';

/** A path on which so many packets and pictures come in every quarter of a second. */
class Path {
  pulse = new Pulse();
  now = 0;
  signs = 0;
  frames = 0;

  /** @returns {string} how it does after so many milliseconds of this */
  runs(milliseconds, { packets = 0, pictures = 0 } = {}) {
    for (const end = this.now + milliseconds; this.now < end; ) {
      this.now += 250;
      this.signs += packets;
      this.frames += pictures;
      this.pulse.feel(this.signs, this.frames, this.now);
    }
    return this.pulse.feeling;
  }
}

const FLOWS = { packets: 40, pictures: 7 };
const REPORTS = { packets: 1 };

test('a path whose pictures flow is doubted after 0.75 s and silent after 2 s', () => {
  const path = new Path();
  assert.equal(path.runs(10_000, FLOWS), 'well');
  assert.equal(path.runs(500), 'well');
  assert.equal(path.runs(250), 'doubtful');
  assert.equal(path.runs(1_000), 'doubtful');
  assert.equal(path.runs(250), 'silent');
});

test('a packet ends the doubt; what was silent is well again with a picture only', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.runs(1_500);
  assert.equal(path.runs(250, REPORTS), 'well');
  path.runs(5_000, FLOWS);
  assert.equal(path.runs(2_250), 'silent');
  assert.equal(path.runs(5_000, REPORTS), 'silent');
  assert.equal(path.runs(250, FLOWS), 'well');
});

test('a camera whose pictures stop, and whose reports come now and then, has not lost its path', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  for (let n = 0; n < 20; n += 1) {
    assert.notEqual(path.runs(1_250), 'silent');
    assert.equal(path.runs(250, REPORTS), 'well');
  }
  assert.notEqual(path.runs(4_500), 'silent');
  assert.equal(path.runs(500), 'silent');
});

test('a network that may be another one is given less time', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.pulse.hint(path.now);
  assert.equal(path.runs(500), 'well');
  assert.equal(path.runs(250), 'silent');
});

test('a hint is forgotten, and a path that does well is none the worse for it', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.pulse.hint(path.now);
  assert.equal(path.runs(10_000, FLOWS), 'well');
  assert.notEqual(path.runs(1_500), 'silent');
});

test('a camera that sends a picture a second is not doubted every second', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.runs(750);
  path.runs(250, { packets: 1, pictures: 1 });
  for (let n = 0; n < 20; n += 1) {
    assert.equal(path.runs(750), 'well');
    assert.equal(path.runs(250, { packets: 1, pictures: 1 }), 'well');
  }
  assert.equal(path.runs(2_000), 'silent');
});

test('who hears nothing elsewhere either need not wait for long to believe it', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.runs(250);
  assert.equal(path.pulse.mute(path.now), false);
  path.runs(250);
  assert.deepEqual([path.pulse.feeling, path.pulse.mute(path.now)], ['well', true]);
});

test('a path that was given up is well again with a picture only', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  path.pulse.giveUp();
  assert.equal(path.runs(1_000, REPORTS), 'silent');
  assert.equal(path.runs(250, FLOWS), 'well');
});

test('a camera whose pictures have stopped is mute most of the time, which says nothing', () => {
  const path = new Path();
  path.runs(5_000, FLOWS);
  for (let n = 0; n < 5; n += 1) path.runs(250, REPORTS), path.runs(1_000);
  assert.equal(path.pulse.mute(path.now), false);
});

test('a browser that counts nothing is not told that nothing comes', () => {
  const path = new Path();
  assert.equal(path.runs(60_000), 'well');
});
