/**
 * A live stream of fragments on the screen, through Media Source Extensions.
 *
 * One SourceBuffer holds picture and sound, so that the browser keeps them together. Everything
 * that happens to it waits in one queue: the buffer does one thing at a time.
 */

import { AppendQueue } from './append-queue.js';
import { Fragments } from './fragments.js';
import { mediaSource, plays } from './legs.js';
import { MediaBuffer } from './media-buffer.js';
import { Pursuit } from './pursuit.js';

const QUEUE_BYTES = 32 * 1024 * 1024; // twice the longest GOP that a camera keeps

/** @typedef {'unplayable' | 'broken'} Failure `broken`: begin anew, with another feed. */
/**
 * @typedef {{ replay: () => void, failed: (failure: Failure) => void }} Listener `replay`: bytes
 * were lost, or could not be taken; the camera shall begin anew.
 */

export class MseFeed {
  /** Whether what is on the screen is live: before that it is only on its way there. */
  current = false;
  #source = new /** @type {typeof MediaSource} */ (mediaSource())();
  #queue = new AppendQueue(QUEUE_BYTES);
  #fragments = new Fragments();
  #pursuit = new Pursuit();
  #mime = '';
  /** All that was sent before has been appended: from here on the distance counts. */
  #replayed = false;
  /** Bytes are missing until the next stream begins. */
  #lapsed = true;
  /** A managed source may not want any for a while. */
  #wanted = !('streaming' in this.#source);
  #ended = new AbortController();
  #changed = () => {};
  /** Keeps the source in memory until it is revoked; empty when it is not needed. */
  #url = '';
  #buffer;
  /** @type {HTMLVideoElement | null} */
  #video = null;

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.#buffer = new MediaBuffer(this.#source, this.#fragments, this.#ended.signal, {
      idle: () => this.#buffer.trim(this.#position) || this.#pump(),
      broken: () => this.#fail('broken'),
    });
    this.#on(this.#source, 'sourceopen', () => this.#opened());
    this.#on(this.#source, 'startstreaming', () => this.#want());
    this.#on(this.#source, 'endstreaming', () => (this.#wanted = false));
  }

  get hasSound() {
    return codecsOf(this.#mime) > 1;
  }

  /** How it does, for the statistics. @returns {import('./fmp4-stats.js').Look} */
  look() {
    const { videoWidth: width = 0, videoHeight: height = 0 } = this.#video ?? {};
    const dropped = this.#video?.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    const { pictures, bytes } = this.#fragments;
    const counts = { pictures, bytes: { ...bytes }, dropped, dried: this.#pursuit.dried };
    return { at: performance.now(), mime: this.#mime, width, height, ...counts, lag: this.#lag };
  }

  /** Seconds that the buffer holds ahead of the picture; null before it is live. */
  get #lag() {
    const head = this.current ? this.#playhead() : null;
    return head && Math.max(0, head.end - head.position);
  }

  // ── from the camera ────────────────────────────────────────────────────────────────────────

  /** Whether a stream can go on in this feed: a buffer's number of codecs is for good. @param {string} mime */
  suits(mime) {
    return this.#mime === '' || codecsOf(mime) === codecsOf(this.#mime);
  }

  /** A stream begins: its init segment follows. @param {string} mime */
  begin(mime) {
    if (!plays(mime)) return this.listener.failed('unplayable');
    this.#lapsed = false;
    this.#mime = mime;
    this.#note(() => this.#prepare(mime));
  }

  /** @param {Uint8Array} bytes */
  append(bytes) {
    if (this.#lapsed) return;
    this.#fragments.take(bytes);
    if (!this.#queue.push(bytes)) return this.#lapse();
    this.#pump();
  }

  /** What comes from here on is as new as can be. */
  live() {
    this.#note(() => this.#isLive());
  }

  // ── from the screen ────────────────────────────────────────────────────────────────────────

  /** @param {HTMLVideoElement} video @param {() => void} changed */
  attach(video, changed) {
    this.#video = video;
    this.#changed = changed;
    video.disableRemotePlayback = true; // a managed source opens on no other terms
    this.#url = URL.createObjectURL(this.#source);
    this.#on(video, 'error', () => this.#fail('broken'));
    this.#on(video, 'waiting', () => this.#ranDry());
    this.#on(video, 'seeked', () => this.#arrived());
    this.#on(video, 'play', () => this.#pursue());
    video.srcObject = null; // it would win
    video.src = this.#url;
  }

  /** @param {HTMLVideoElement} video */
  detach(video) {
    this.close();
    video.playbackRate = 1;
    video.removeAttribute('src');
    video.load();
  }

  /** Takes nothing more; the last picture stays until the screen lets go of it. Idempotent. */
  close() {
    this.#ended.abort();
    this.#queue.clear();
    this.#lapsed = true;
    this.#revoke();
  }

  #opened() {
    this.#revoke();
    this.#pump();
  }

  #revoke() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = '';
  }

  // ── the buffer ─────────────────────────────────────────────────────────────────────────────

  /** @param {() => void} note */
  #note(note) {
    if (this.#lapsed) return;
    if (!this.#queue.note(note)) return this.#lapse();
    this.#pump();
  }

  /** Does what can be done now, in order. */
  #pump() {
    while (this.#ready()) {
      const next = this.#queue.next();
      if (next === null) return this.#pursue();
      if (next instanceof Uint8Array) this.#feed(next);
      else next();
    }
  }

  #ready() {
    return this.#wanted && this.#source.readyState === 'open' && !this.#buffer.busy;
  }

  /** @param {string} mime */
  #prepare(mime) {
    this.#replayed = false;
    try {
      this.#buffer.begin(mime);
    } catch (error) {
      return this.#fail(isNamed(error, 'NotSupportedError') ? 'unplayable' : 'broken');
    }
    this.#pursuit.has(this.hasSound);
    this.#changed();
  }

  /** @param {Uint8Array} bytes */
  #feed(bytes) {
    try {
      this.#buffer.append(bytes);
    } catch (error) {
      if (!isNamed(error, 'QuotaExceededError')) return this.#fail('broken');
      this.#queue.unshift(bytes);
      if (!this.#buffer.removeBefore(this.#position)) this.#fail('broken');
    }
  }

  // ── where the picture is ───────────────────────────────────────────────────────────────────

  #isLive() {
    this.#replayed = true;
    const head = this.#playhead();
    if (head && !this.current) this.#perform(this.#pursuit.jump(head));
  }

  /** A hidden or paused picture may fall behind; it is brought back when it plays again. */
  #pursue() {
    const { paused = true, seeking = true } = this.#video ?? {};
    const head = this.#playhead();
    if (!this.#replayed || !this.#queue.empty || paused || seeking || !head) return;
    this.#perform(this.#pursuit.step(head));
  }

  /** @param {import('./pursuit.js').Step} step */
  #perform(step) {
    const video = /** @type {HTMLVideoElement} */ (this.#video);
    video.playbackRate = 'rate' in step ? step.rate : 1;
    if ('seekTo' in step) video.currentTime = step.seekTo;
  }

  #playhead() {
    const { newest } = this.#buffer;
    if (!this.#video || !newest) return null;
    return { now: performance.now() / 1000, position: this.#position, ...newest };
  }

  /** Seconds. */
  get #position() {
    return this.#video?.currentTime ?? 0;
  }

  #arrived() {
    if (!this.#replayed) return;
    this.current = true;
    this.#changed();
  }

  /** Only while it is live: on the way there it has nothing to play. */
  #ranDry() {
    if (this.current && this.#video?.seeking === false) this.#pursuit.ranDry(performance.now() / 1000);
  }

  // ── setbacks ───────────────────────────────────────────────────────────────────────────────

  #want() {
    this.#wanted = true;
    if (this.#lapsed) this.listener.replay();
    this.#pump();
  }

  #lapse() {
    this.#lapsed = true;
    this.#queue.clear();
    if (this.#wanted) this.listener.replay();
  }

  /** @param {Failure} failure */
  #fail(failure) {
    if (this.#ended.signal.aborted) return;
    this.close();
    this.listener.failed(failure);
  }

  /** @param {EventTarget} target @param {string} event @param {() => void} then */
  #on(target, event, then) {
    target.addEventListener(event, then, { signal: this.#ended.signal });
  }
}

/** How many codecs a MIME type names. @param {string} mime */
const codecsOf = (mime) => (/codecs="([^"]*)"/.exec(mime)?.[1].split(',') ?? []).length;

/** @param {unknown} error @param {string} name */
const isNamed = (error, name) => error instanceof Error && error.name === name;
