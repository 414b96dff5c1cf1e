/** The figures of a session as people read them: a table of all, and the way in a word. */

/** @typedef {import('./stats.js').Figures} Figures */

/** @type {[label: string, value: (f: Figures) => string | null][]} */
const FIGURES = [
  ['Delay', (f) => milliseconds(f.transit, 'about ')],
  ['Round trip', (f) => milliseconds(f.roundTrip)],
  ['Buffer', (f) => milliseconds(f.jitterBuffer ?? f.buffer)],
  ['Decoder', (f) => milliseconds(f.decode)],
  ['Delivery', (f) => DELIVERIES[f.leg]],
  ['Path', (f) => pathOf(f)],
  ['Picture', (f) => given(f.width, (width) => `${width} × ${f.height}`)],
  ['Frame rate', (f) => given(f.framesPerSecond, (n) => `${n.toFixed(0)} frames/s`)],
  ['Video', (f) => given(f.videoBitrate, (n) => `${f.codec ?? ''} ${bits(n)}`.trim())],
  ['Sound', (f) => (f.audioBitrate ? bits(f.audioBitrate) : null)],
  ['Packet loss', (f) => given(f.loss, (n) => `${(100 * n).toFixed(1)} %`)],
  ['Freezes', (f) => String(f.freezes)],
];

const DELIVERIES = { rtp: 'WebRTC', fmp4: 'fMP4, as the camera made it' };

const RELAYS = { ours: 'Relayed', theirs: 'Camera’s relay', both: 'Two relays' };

/** @param {Figures} figures */
function pathOf({ path, relays, protocol, family }) {
  if (!path) return null;
  return [relays ? RELAYS[relays] : 'Direct', protocol, family].filter(Boolean).join(' · ');
}

const ROUTES = {
  direct: ['Direct', 'The picture comes straight from the camera'],
  relayed: ['Relayed', 'No direct way was found: the picture takes one over a relay server'],
};

/** The way of the picture, in a word and in a sentence; empty when it is not known. @param {Figures | null} figures */
export function route(figures) {
  if (!figures?.path) return { short: '', long: '' };
  const { path, protocol, family } = figures;
  const [word, sentence] = ROUTES[path];
  const over = [protocol, family].filter(Boolean).join(' and ');
  return { short: [word, protocol].filter(Boolean).join(' · '), long: `${sentence}${over && `, over ${over}`}.` };
}

/** The statistics as rows of a table. @param {Figures | null} figures @returns {[string, string][]} */
export function rows(figures) {
  return FIGURES.map(([label, value]) => [label, (figures && value(figures)) || '–']);
}

/** @type {<T>(value: T | null, then: (value: T) => string) => string | null} */
const given = (value, then) => (value === null ? null : then(value));

/** @param {number | null} seconds */
const milliseconds = (seconds, about = '') =>
  given(seconds, (s) => (s < 0.001 ? 'under 1 ms' : `${about}${(1000 * s).toFixed(0)} ms`));

/** @param {number} perSecond */
const bits = (perSecond) =>
  perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(1)} Mbit/s` : `${(perSecond / 1e3).toFixed(0)} kbit/s`;
