/**
 * Reads in passing what goes into the browser's buffer: which track, when, and where decoding can
 * begin (ISO/IEC 14496-12). Everything else about the bytes is the browser's business.
 *
 * A message never holds parts of two segments (PROTOCOL.md §12), so one that begins with a box
 * that we know begins a segment, and every other one goes on with the last.
 */

const NOT_A_SYNC_SAMPLE = 0x10000; // sample_is_non_sync_sample, §8.8.3.1
const DEFAULT_FLAGS = { tfhd: 0x20, trun: 0x4 }; // default-sample-flags, first-sample-flags
const TFHD_FIELDS = [[0x1, 8], [0x2, 4], [0x8, 4], [0x10, 4]]; // before the flags, §8.8.7
const SAMPLE_FIELDS = [0x100, 0x200]; // duration and size, before a sample's flags, §8.8.8
const SAMPLE_FLAGS = 0x400;
const KEYS = 64; // beginnings of GOPs that are remembered; older ones are long removed

/** @typedef {{ kind: 'video' | 'audio', timescale: number }} Track */
/** @typedef {{ type: string, start: number, end: number }} Box `start`: of what it contains. */
/** @typedef {{ kind: 'video' | 'audio', time: number, key: boolean }} Fragment `time` in seconds. */

export class Fragments {
  /** @type {Map<number, Track>} */
  #tracks = new Map();
  /** Where decoding of the picture can begin, in seconds, in order. @type {number[]} */
  keys = [];
  pictures = 0;
  bytes = { video: 0, audio: 0 };
  /** @type {'video' | 'audio'} */
  #last = 'video';

  /** @param {Uint8Array} bytes a message of the channel */
  take(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const type = bytes.byteLength < 8 ? '' : fourCharacters(view, 4);
    if (type === 'ftyp' || type === 'moov') this.#tracks = tracks(view);
    const fragment = type === 'moof' ? this.#fragment(view) : null;
    if (fragment) this.#note(fragment);
    this.bytes[this.#last] += bytes.byteLength;
  }

  /** @param {Fragment} fragment */
  #note({ kind, time, key }) {
    this.#last = kind;
    if (kind === 'audio') return;
    this.pictures += 1;
    if (!key) return;
    this.keys.push(time);
    if (this.keys.length > KEYS) this.keys.shift();
  }

  /** The last moment before the time where decoding can begin. @param {number} time */
  keyBefore(time) {
    return this.keys.filter((key) => key <= time).at(-1) ?? null;
  }

  /** @param {DataView} view @returns {Fragment | null} */
  #fragment(view) {
    const traf = find(view, whole(view), 'moof', 'traf');
    const [tfhd, tfdt, trun] = ['tfhd', 'tfdt', 'trun'].map((type) => traf && find(view, traf, type));
    if (!tfhd || !tfdt || !trun) return null;
    const track = this.#tracks.get(view.getUint32(tfhd.start + 4));
    if (!track) return null;
    const wide = view.getUint8(tfdt.start) === 1;
    const ticks = wide ? Number(view.getBigUint64(tfdt.start + 4)) : view.getUint32(tfdt.start + 4);
    const key = !(sampleFlags(view, tfhd, trun) & NOT_A_SYNC_SAMPLE);
    return { kind: track.kind, time: ticks / track.timescale, key };
  }
}

/** The first sample's flags: its own, the run's, or the fragment's. @param {DataView} view @param {Box} tfhd @param {Box} trun */
function sampleFlags(view, tfhd, trun) {
  const flags = view.getUint32(trun.start) & 0xffffff;
  let at = trun.start + 8 + (flags & 0x1 ? 4 : 0);
  if (flags & DEFAULT_FLAGS.trun) return view.getUint32(at);
  if (flags & SAMPLE_FLAGS) {
    for (const field of SAMPLE_FIELDS) at += flags & field ? 4 : 0;
    return view.getUint32(at);
  }
  const defaults = view.getUint32(tfhd.start) & 0xffffff;
  at = tfhd.start + 8;
  for (const [field, size] of TFHD_FIELDS) at += defaults & field ? size : 0;
  return defaults & DEFAULT_FLAGS.tfhd ? view.getUint32(at) : 0;
}

/** The tracks of an init segment. @param {DataView} view */
function tracks(view) {
  /** @type {Map<number, Track>} */
  const found = new Map();
  const moov = find(view, whole(view), 'moov');
  for (const trak of moov ? boxes(view, moov) : []) {
    const tkhd = find(view, trak, 'tkhd');
    const mdhd = find(view, trak, 'mdia', 'mdhd');
    const hdlr = find(view, trak, 'mdia', 'hdlr');
    if (trak.type !== 'trak' || !tkhd || !mdhd || !hdlr) continue;
    const kind = fourCharacters(view, hdlr.start + 8) === 'vide' ? 'video' : 'audio';
    found.set(dated(view, tkhd), { kind, timescale: dated(view, mdhd) });
  }
  return found;
}

/** What stands behind creation and modification time, whose width depends on the version. @param {DataView} view @param {Box} box */
const dated = (view, { start }) => view.getUint32(start + (view.getUint8(start) === 1 ? 20 : 12));

/** @param {DataView} view @param {Box} parent @param {string[]} path @returns {Box | null} */
function find(view, parent, ...path) {
  /** @type {Box | null} */
  let box = parent;
  for (const type of path) {
    if (!box) return null;
    box = [...boxes(view, box)].find((inner) => inner.type === type) ?? null;
  }
  return box;
}

/** @param {DataView} view @param {Box} parent @returns {Generator<Box>} */
function* boxes(view, { start, end }) {
  for (let at = start; at + 8 <= end; ) {
    const size = view.getUint32(at);
    yield { type: fourCharacters(view, at + 4), start: at + 8, end: Math.min(at + size, end) };
    if (size < 8) return; // to the end of the file, or 64 bits wide: nothing that we read is
    at += size;
  }
}

/** @param {DataView} view @returns {Box} */
const whole = (view) => ({ type: '', start: 0, end: view.byteLength });

/** @param {DataView} view @param {number} at */
const fourCharacters = (view, at) => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
