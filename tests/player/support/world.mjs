/** A browser's network without one: time that stands still, sockets and peers that do as told. */

const REAL = new Map();
const FAKED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'WebSocket'];
const PEERS = ['RTCPeerConnection', 'RTCRtpReceiver', 'MediaStream', 'MediaSource', 'location', 'fetch', 'addEventListener'];

/** Installs itself in the global scope; call `restore` after each test. */
export class World {
  now = 0;
  sockets = [];
  peers = [];
  codecs = [{ mimeType: 'video/H264' }, { mimeType: 'video/rtx' }, { mimeType: 'video/VP8' }];
  refusesCodecs = false;
  /** Whether requests are answered, and how many there were. */
  answers = true;
  requests = 0;
  /** What listens to the window. */
  window = new EventTarget();
  #timers = new Map();
  #ids = 0;
  #dateNow = Date.now;

  constructor() {
    const world = this;
    for (const name of [...FAKED, ...PEERS]) REAL.set(name, globalThis[name]);
    globalThis.setTimeout = (run, pause = 0) => this.#plan(run, pause, null);
    globalThis.setInterval = (run, pause) => this.#plan(run, pause, pause);
    globalThis.clearTimeout = globalThis.clearInterval = (id) => this.#timers.delete(id);
    Date.now = () => this.now;
    // Node 18 has it as a property that cannot be assigned to.
    Object.defineProperty(performance, 'now', { value: Date.now, configurable: true });
    globalThis.WebSocket = class extends Socket {
      constructor(url) {
        super(url);
        world.sockets.push(this);
      }
    };
    globalThis.RTCPeerConnection = class extends Peer {
      constructor(configuration) {
        super(configuration);
        this.refusesCodecs = world.refusesCodecs;
        world.peers.push(this);
      }
    };
    globalThis.location = { host: 'host' };
    globalThis.fetch = (_url, { signal }) => this.#request(signal);
    globalThis.addEventListener = (...listener) => this.window.addEventListener(...listener);
    globalThis.RTCRtpReceiver = { getCapabilities: () => ({ codecs: world.codecs }) };
    globalThis.MediaStream = class {
      tracks = [];
      addTrack = (track) => this.tracks.push(track);
      getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio');
    };
  }

  /** From now on it has Media Source Extensions that take everything. */
  playsFmp4() {
    globalThis.MediaSource = class extends EventTarget {
      static isTypeSupported = () => true;
      readyState = 'closed';
    };
  }

  /** The browser says that something has changed. */
  async tells(type) {
    this.window.dispatchEvent(new Event(type));
    await settled();
  }

  /** A network that is gone says nothing: only whoever asked gives it up. */
  #request(signal) {
    this.requests += 1;
    if (this.answers) return Promise.resolve({});
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  }

  restore() {
    for (const [name, value] of REAL) globalThis[name] = value;
    Date.now = this.#dateNow;
    delete performance.now; // the prototype's shines through again
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** How many there are. */
  get timers() {
    return this.#timers.size;
  }

  get peer() {
    return this.peers.at(-1);
  }

  /** Lets so many milliseconds go by, and everything in them happen in its order. */
  async pass(milliseconds) {
    const until = this.now + milliseconds;
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.now = Math.max(this.now, next.at);
      if (next.every === null) this.#timers.delete(next.id);
      else next.at = this.now + next.every; // what was slept through is not made up for
      next.run();
      await settled();
    }
    this.now = until;
    await settled();
  }

  #plan(run, pause, every) {
    const id = (this.#ids += 1);
    this.#timers.set(id, { id, run, every, at: this.now + pause });
    return id;
  }

  #next(until) {
    const due = [...this.#timers.values()].filter((timer) => timer.at <= until);
    return due.sort((a, b) => a.at - b.at || a.id - b.id)[0];
  }
}

/** Every promise that can settle now has done so. */
export async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

class Socket {
  static count = 0;
  connection = String((Socket.count += 1)).padStart(22, 'c');
  sent = [];
  opened = false;
  closed = false;
  /** Answers no ping: a server that is gone without a word. */
  silent = false;

  constructor(url) {
    this.url = url;
  }

  send(text) {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (message.type === 'ping' && !this.silent) this.says({ type: 'pong' });
  }

  close() {
    this.closed = true;
  }

  /** The types of what was said on this connection. */
  get said() {
    return this.sent.map((message) => message.type);
  }

  says(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  opens() {
    if (!this.opened) this.onopen?.();
    this.opened = true;
  }

  welcomes() {
    this.opens();
    this.says({ type: 'welcome', version: 1, server: 'fake', connection: this.connection, nonce: 'n'.repeat(22) });
  }

  breaks() {
    this.onclose?.();
  }
}

class Peer {
  connectionState = 'new';
  localDescription = null;
  remote = [];
  closed = false;
  frames = 0;
  packets = 0;

  constructor(configuration) {
    this.configuration = configuration;
  }

  addTransceiver(kind, { direction }) {
    const receiver = { track: { kind }, transport: new EventTarget(), jitterBufferTarget: null };
    this.receivers = [...(this.receivers ?? []), receiver];
    return { direction, receiver, setCodecPreferences: (codecs) => this.#prefer(codecs) };
  }

  createDataChannel(label, options) {
    const channel = { label, ...options, readyState: 'connecting', sent: [] };
    this.channels = [...(this.channels ?? []), channel];
    return channel;
  }

  #prefer(codecs) {
    if (this.refusesCodecs) throw new DOMException('codecs', 'InvalidModificationError');
    this.preferred = codecs;
  }

  getReceivers() {
    return this.receivers;
  }

  setConfiguration(configuration) {
    if (configuration.iceServers.some(({ urls }) => urls.includes('turn:'))) throw new DOMException('turn:', 'SyntaxError');
    this.configuration = configuration;
  }

  async createOffer() {
    return { type: 'offer', sdp: 'v=0 offer' };
  }

  async setLocalDescription(description = { type: 'offer', sdp: 'v=0 offer' }) {
    this.localDescription = description;
    this.gatheredUnder ??= this.configuration?.iceTransportPolicy;
  }

  async setRemoteDescription(description) {
    if (description.sdp === 'broken') throw new Error('broken');
    this.remote.push(description);
  }

  async addIceCandidate(candidate) {
    this.remote.push(candidate ?? null);
  }

  async getStats() {
    const counts = { framesDecoded: this.frames, packetsReceived: this.packets };
    return new Map([['v', { id: 'v', type: 'inbound-rtp', kind: 'video', timestamp: Date.now(), ...counts }]]);
  }

  close() {
    this.closed = true;
  }

  becomes(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}
