/** A browser's Media Source Extensions, whose buffer is done when the test says so. */

const REAL = new Map();
const FAKED = ['MediaSource', 'ManagedMediaSource'];

/** Installs a source and a video; call `restore` after each test. */
export function browserBuffer({ managed = false, plays = true } = {}) {
  for (const name of FAKED) REAL.set(name, globalThis[name]);
  const browser = { video: new Video(), source: null, urls: 0, restore };
  const Kind = class extends Source {
    static isTypeSupported = () => plays;
    constructor() {
      super();
      if (managed) this.streaming = false;
      browser.source = this;
    }
  };
  globalThis.MediaSource = managed ? undefined : Kind;
  globalThis.ManagedMediaSource = managed ? Kind : undefined;
  URL.createObjectURL = () => `blob:source${(browser.urls += 1)}`;
  URL.revokeObjectURL = () => (browser.urls -= 1);
  return browser;
}

function restore() {
  for (const [name, value] of REAL) globalThis[name] = value;
  delete URL.createObjectURL; // node's own is on the prototype's place again with the next process
  delete URL.revokeObjectURL;
}

class Source extends EventTarget {
  readyState = 'closed';
  duration = NaN;
  buffers = [];
  /** What its buffers' methods throw, if anything. */
  throws = null;

  opens() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('sourceopen'));
  }

  addSourceBuffer(mime) {
    if (this.throws) throw new DOMException('no buffer', this.throws);
    this.buffers.push(new Buffer(this, mime));
    return this.buffers.at(-1);
  }
}

class Buffer extends EventTarget {
  updating = false;
  full = false;
  appended = [];
  removed = [];
  types = [];
  #range = null;

  constructor(source, mime) {
    super();
    this.source = source;
    this.first = mime;
  }

  get buffered() {
    return { length: this.#range ? 1 : 0, start: () => this.#range[0], end: () => this.#range[1] };
  }

  appendBuffer(bytes) {
    if (this.updating) throw new DOMException('updating', 'InvalidStateError');
    if (this.full) throw new DOMException('full', 'QuotaExceededError');
    this.appended.push(bytes);
    this.updating = true;
  }

  remove(start, end) {
    this.removed.push([start, end]);
    this.#range = [end, this.#range[1]];
    this.updating = true;
  }

  changeType(mime) {
    if (this.source.throws) throw new DOMException('no type', this.source.throws);
    if (mime !== this.first) this.types.push(mime);
  }

  abort() {}

  /** What it does is done, and more that waited; it holds this much now. */
  done(start, end) {
    this.#range = [start, end];
    for (let turn = 0; this.updating && turn < 2; turn += 1) {
      this.updating = false;
      this.dispatchEvent(new Event('updateend'));
    }
  }
}

class Video extends EventTarget {
  src = '';
  srcObject = null;
  currentTime = 0;
  playbackRate = 1;
  paused = false;
  seeking = false;

  removeAttribute() {
    this.src = '';
  }

  load() {}

  /** A seek is over. */
  arrives() {
    this.dispatchEvent(new Event('seeked'));
  }
}
