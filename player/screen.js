/**
 * The picture: one video element for good, and a canvas that keeps the last frame over it.
 *
 * One element, because full screen, picture-in-picture and the permission to play sound belong to
 * an element and would be lost with it.
 */

/**
 * @typedef {{
 *   current: boolean, hasSound: boolean,
 *   attach: (video: HTMLVideoElement, changed: () => void) => void,
 *   detach: (video: HTMLVideoElement) => void,
 * }} Feed What a leg has to show. `current`: what is on the screen is live, and no stale beginning.
 */

export class Screen {
  /** The wait for a session's first picture; what belongs to it goes with it. */
  #turn = new AbortController();
  /** @type {Feed | null} */
  #feed = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLCanvasElement} still
   * @param {{ pictured: () => void, changed: () => void }} listener
   */
  constructor(video, still, listener) {
    this.video = video;
    this.still = still;
    this.listener = listener;
    this.hasStill = false;
    for (const event of ['pause', 'playing', 'resize', 'volumechange']) {
      video.addEventListener(event, listener.changed);
    }
  }

  /** The browser, or somebody in a picture-in-picture window, holds the picture. */
  get paused() {
    return this.#feed !== null && this.video.paused;
  }

  get hasSound() {
    return this.#feed?.hasSound ?? false;
  }

  /** One that is shown already goes on: its next picture is the first one again. @param {Feed} feed */
  show(feed) {
    if (feed !== this.#feed) this.#replace(feed);
    this.#awaitPicture();
    void this.play();
  }

  /** Plays, without sound if the browser does not allow it with. */
  async play() {
    try {
      await this.video.play();
    } catch (error) {
      if (!isNotAllowed(error) || this.video.muted) return this.listener.changed();
      this.video.muted = true;
      await this.video.play().catch(() => this.listener.changed());
    }
  }

  /** Keeps the frame that is on the screen, if there is one, until the next stream shows its own. */
  freeze() {
    this.#turn.abort();
    const { videoWidth, videoHeight } = this.video;
    if (this.hasStill || !videoWidth || this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.still.width = videoWidth;
    this.still.height = videoHeight;
    this.still.getContext('2d')?.drawImage(this.video, 0, 0);
    this.hasStill = true;
  }

  /** Nothing is to be seen any more. */
  clear() {
    this.#turn.abort();
    this.hasStill = false;
    this.#replace(null);
    this.video.srcObject = null;
    this.still.width = this.still.height = 0;
  }

  /** @param {Feed | null} feed */
  #replace(feed) {
    this.#feed?.detach(this.video);
    this.#feed = feed;
    feed?.attach(this.video, this.listener.changed);
  }

  #awaitPicture() {
    this.#turn.abort();
    this.#turn = new AbortController();
    const { signal } = this.#turn;
    const pictured = () => this.#feed?.current && this.#pictured();
    // The only signs of a picture in older browsers, and in tabs that are opened in the background.
    for (const event of ['loadeddata', 'seeked']) this.video.addEventListener(event, pictured, { signal });
    if ('requestVideoFrameCallback' in this.video) this.#awaitFrame(pictured, signal);
  }

  /** @param {() => void} pictured @param {AbortSignal} signal */
  #awaitFrame(pictured, signal) {
    let handle = 0;
    const next = () => (handle = this.video.requestVideoFrameCallback(look));
    const look = () => (pictured(), signal.aborted || next());
    signal.addEventListener('abort', () => this.video.cancelVideoFrameCallback(handle));
    next();
  }

  #pictured() {
    this.#turn.abort();
    this.hasStill = false;
    this.listener.pictured();
    this.listener.changed(); // the still goes, also where there was a picture all the time
  }
}

/** @param {unknown} error */
const isNotAllowed = (error) => error instanceof DOMException && error.name === 'NotAllowedError';
