/** Boxes of ISO/IEC 14496-12, as far as tests need them. */

const word = (value) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) & 255);
const long = (value) => [...word(Math.floor(value / 2 ** 32)), ...word(value % 2 ** 32)];
const text = (name) => [...name].map((letter) => letter.charCodeAt(0));

/** @param {string} type @param {number[][]} content */
export const box = (type, ...content) => {
  const inner = content.flat();
  return [...word(8 + inner.length), ...text(type), ...inner];
};

const track = (id, kind, timescale, wide) => {
  const dates = wide ? [...word(0x01000000), ...Array(16).fill(0)] : [...word(0), ...Array(8).fill(0)];
  return box(
    'trak',
    box('tkhd', dates, word(id)),
    box('mdia', box('mdhd', dates, word(timescale)), box('hdlr', word(0), word(0), text(kind))),
  );
};

/** An init segment: picture is track 1 at 90 kHz, sound track 2 at 48 kHz. */
export const init = ({ wide = false } = {}) =>
  new Uint8Array([...box('ftyp'), ...box('moov', box('mvhd'), track(1, 'vide', 90_000, wide), track(2, 'soun', 48_000, wide))]);

const NOT_SYNC = 0x10000;

/** Where a sample's flags may stand: in the run, beside the sample, or in the fragment's defaults. */
const RUNS = {
  first: (flags) => [box('tfhd', word(0x020000), word(1)), box('trun', word(0x5), word(1), word(0), word(flags))],
  sample: (flags) => [box('tfhd', word(0x020000), word(1)), box('trun', word(0x701), word(1), word(0), word(9), word(9), word(flags))],
  default: (flags) => [box('tfhd', word(0x020028), word(1), word(9), word(flags)), box('trun', word(0x1), word(1), word(0))],
};

/** A media segment of one picture at so many seconds. */
export function picture(seconds, { key = false, flags = 'sample', payload = 5 } = {}) {
  const [tfhd, trun] = RUNS[flags](key ? 0 : NOT_SYNC);
  const tfdt = box('tfdt', word(0x01000000), long(Math.round(seconds * 90_000)));
  return new Uint8Array([...box('moof', box('mfhd', long(0)), box('traf', tfhd, tfdt, trun)), ...box('mdat', Array(payload).fill(0))]);
}

/** A media segment of sound. */
export function sound(seconds) {
  const traf = box('traf', box('tfhd', word(0x020000), word(2)), box('tfdt', word(0), word(seconds * 48_000)), box('trun', word(0), word(1)));
  return new Uint8Array([...box('moof', traf), ...box('mdat', [0])]);
}
