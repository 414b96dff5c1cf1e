/**
 * Looks and listens inside a page, as its visitor would: `portholeProbe`, for Playwright.
 *
 * A target is a CSS selector: of a <video>, or of an element that has one as its `video`.
 * Times are wall-clock milliseconds; camera and browser are on one machine, so on one clock.
 * The layout of the time code is that of publisher/sources/pattern.py.
 */
(() => {
  const CELLS = 40;
  const GRAIN = 4; // pixels of a cell after scaling: the inner ones are clear of its edges
  const FRAME_BITS = 24;
  const TIME_BITS = 42;
  const MIN_CONTRAST = 64;
  const FLASH_SPOT = [0.3, 0.42];
  const WINDOW = 32768; // samples, the most that an AnalyserNode keeps

  // Those of the machine, whatever a test does to the page's own.
  const [now, later] = [performance.now.bind(performance), setTimeout];

  /** @param {string} target @returns {HTMLVideoElement | null} */
  function find(target) {
    const element = document.querySelector(target);
    return element instanceof HTMLVideoElement ? element : (element?.video ?? null);
  }

  function pen(width, height) {
    return new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  }

  // ── the picture ────────────────────────────────────────────────────────────────────────────

  const band = pen(CELLS * GRAIN, 2 * GRAIN);
  const spot = pen(1, 1);

  /** @returns {{frame: number, unixMs: number} | null} */
  function readCode(picture) {
    const { displayWidth: width, displayHeight: height } = picture;
    const rows = (2 * width) / CELLS;
    band.drawImage(picture, 0, height - rows, width, rows, 0, 0, CELLS * GRAIN, 2 * GRAIN);
    const levels = [...cells(0), ...cells(1)];
    const whites = [0, 2, CELLS + 1].map((i) => levels[i]);
    const blacks = [1, CELLS, CELLS + 2].map((i) => levels[i]);
    if (Math.min(...whites) - Math.max(...blacks) < MIN_CONTRAST) return null;
    const threshold = [...whites, ...blacks].reduce((a, b) => a + b) / 6;
    const bits = levels.map((level) => (level > threshold ? '1' : '0')).join('');
    return decode(bits.slice(3, CELLS) + bits.slice(CELLS + 3));
  }

  /** The brightness of one row's cells. */
  function cells(row) {
    const { data, width } = band.getImageData(0, 0, CELLS * GRAIN, 2 * GRAIN);
    const at = (x, y) => data[4 * (y * width + x) + 1];
    const [x, y] = [1, row * GRAIN + 1];
    return Array.from({ length: CELLS }, (_, i) => {
      const left = i * GRAIN + x;
      return (at(left, y) + at(left + 1, y) + at(left, y + 1) + at(left + 1, y + 1)) / 4;
    });
  }

  function decode(bits) {
    const payload = bits.slice(0, FRAME_BITS + TIME_BITS);
    let crc = 0xff;
    for (const bit of payload) crc = ((crc << 1) & 0xff) ^ ((crc >> 7) ^ Number(bit) ? 0x07 : 0);
    if (crc !== parseInt(bits.slice(payload.length), 2)) return null;
    const number = (from, to) => parseInt(payload.slice(from, to), 2);
    return { frame: number(0, FRAME_BITS), unixMs: number(FRAME_BITS, payload.length) };
  }

  function flashes(picture) {
    const [x, y] = [FLASH_SPOT[0] * picture.displayWidth, FLASH_SPOT[1] * picture.displayHeight];
    spot.drawImage(picture, x, y, 1, 1, 0, 0, 1, 1);
    return Math.min(...spot.getImageData(0, 0, 1, 1).data.slice(0, 3)) > 190;
  }

  /** Every frame that is presented within some time, or only so many. */
  async function frames(target, milliseconds, count = Infinity) {
    const seen = [];
    const until = now() + milliseconds;
    while (now() < until && seen.length < count) {
      const video = find(target);
      const shown = video && (await nextFrame(video, until - now()));
      const described = shown && describe(video, shown);
      if (described) seen.push(described);
      if (!shown) await passing(20);
    }
    return seen;
  }

  function nextFrame(video, milliseconds) {
    return new Promise((resolve) => {
      const handle = video.requestVideoFrameCallback((_now, metadata) => resolve(metadata));
      passing(Math.min(milliseconds, 500)).then(() => {
        video.cancelVideoFrameCallback(handle);
        resolve(null);
      });
    });
  }

  /** Null when the video has gone on to another frame already. */
  function describe(video, { mediaTime, presentedFrames, expectedDisplayTime }) {
    const picture = grabbed(video);
    if (!picture) return null;
    try {
      if (isAnother(picture, mediaTime)) return null;
      const wall = Date.now() - now() + expectedDisplayTime;
      const { displayWidth: width, displayHeight: height } = picture;
      const [code, flash] = [readCode(picture), flashes(picture)];
      return { mediaTime, presented: presentedFrames, wall, width, height, code, flash };
    } finally {
      picture.close();
    }
  }

  /** Firefox's pictures of a video tell the time in whole seconds: then nobody can know. */
  function isAnother({ timestamp }, mediaTime) {
    return timestamp !== Math.floor(mediaTime) && Math.abs(timestamp / 1e6 - mediaTime) > 0.001;
  }

  function grabbed(video) {
    try {
      return new VideoFrame(video);
    } catch (error) {
      // A video that is being reset has a frame to present and none to give.
      if (error.name === 'InvalidStateError') return null;
      throw error;
    }
  }

  const passing = (milliseconds) => new Promise((resolve) => later(resolve, milliseconds));

  // ── the sound ──────────────────────────────────────────────────────────────────────────────

  const ears = new WeakMap();

  /** An analyser of what a video plays. Players drop what nobody hears: so somebody does. */
  async function ear(video) {
    video.muted = false;
    const stream = video.srcObject ?? captured(video);
    if (!ears.has(stream)) {
      const context = new AudioContext();
      const analyser = new AnalyserNode(context, { fftSize: WINDOW });
      context.createMediaStreamSource(stream).connect(analyser);
      ears.set(stream, analyser);
    }
    const analyser = ears.get(stream);
    await analyser.context.resume();
    return analyser;
  }

  const captures = new WeakMap();
  const capture = (video) => video.captureStream?.() ?? video.mozCaptureStream(); // Firefox

  function captured(video) {
    if (!captures.has(video)) captures.set(video, capture(video));
    return captures.get(video);
  }

  /** Pitch and level of the last part of a second. */
  async function sound(target, milliseconds) {
    const analyser = await ear(find(target));
    await passing(milliseconds);
    return loudness(heard(analyser), analyser.context.sampleRate);
  }

  function loudness(samples, rate) {
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return { hz: pitch(samples, rate), level: Math.sqrt(power) };
  }

  /** The same of a recording: for browsers that hear nothing without a sound card, as Firefox. */
  async function recorded(target, milliseconds) {
    const recorder = new MediaRecorder(new MediaStream(captured(find(target)).getAudioTracks()));
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((stop) => (recorder.onstop = stop));
    recorder.start();
    await passing(milliseconds);
    recorder.stop();
    await stopped;
    const context = new OfflineAudioContext(1, 1, 48_000);
    try {
      const decoded = await context.decodeAudioData(await new Blob(parts).arrayBuffer());
      return loudness(decoded.getChannelData(0), decoded.sampleRate);
    } catch (error) {
      // In a recording of no sound there is nothing to decode.
      if (error.name === 'EncodingError') return { hz: 0, level: 0 };
      throw error;
    }
  }

  function heard(analyser) {
    const samples = new Float32Array(WINDOW);
    analyser.getFloatTimeDomainData(samples);
    return samples.slice(-Math.round(analyser.context.sampleRate / 2));
  }

  /** The frequency that most periods have: a flash's octave does not count. */
  function pitch(samples, rate) {
    const zeros = rising(samples);
    const periods = zeros.slice(1).map((zero, i) => zero - zeros[i]);
    return periods.length ? rate / periods.sort((a, b) => a - b)[periods.length >> 1] : 0;
  }

  function rising(samples) {
    const zeros = [];
    for (let i = 1; i < samples.length; i++) {
      const [before, after] = [samples[i - 1], samples[i]];
      if (before < 0 && after >= 0) zeros.push(i - 1 + before / (before - after));
    }
    return zeros;
  }

  /** When 1 kHz became 2 kHz; the same jump is seen in several windows. */
  async function jumps(target, milliseconds) {
    const analyser = await ear(find(target));
    const seen = [];
    const until = now() + milliseconds;
    while (now() < until) {
      await passing(100);
      const wall = Date.now();
      const samples = heard(analyser);
      const { sampleRate } = analyser.context;
      for (const at of octaves(samples, sampleRate)) {
        seen.push(wall - (1000 * (samples.length - at)) / sampleRate);
      }
    }
    return seen;
  }

  function octaves(samples, rate) {
    const zeros = rising(samples);
    const khz = zeros.slice(1).map((zero, i) => Math.round(rate / (zero - zeros[i]) / 1000));
    // Five periods of each: a codec's ringing is not a jump.
    return zeros.filter((_, i) => khz.slice(Math.max(0, i - 5), i + 5).join('') === '1111122222');
  }

  // ── both ───────────────────────────────────────────────────────────────────────────────────

  async function both(target, milliseconds) {
    const [pictures, onsets] = await Promise.all([
      frames(target, milliseconds),
      jumps(target, milliseconds),
    ]);
    return { frames: pictures, jumps: onsets };
  }

  globalThis.portholeProbe = { find, frames, sound, recorded, both };
})();
