// Plays HLS: by the copy of hls.js that is served with us, else by the browser itself.

const BEHIND_S = 3.5;
// Seconds behind the newest segment that is known. Segments of two seconds, and a moment to fetch
// the next; with what they take to be written the programme is seen some four seconds late.
const CATCH_UP = 1.1;
const AT_LIVE_S = 5;
// Farther behind than this above the wanted distance is a rewind.

/** Begin to play `address` in `video`; `failed()` is called when nothing can play it.
 *
 * Returns what a menu needs: `qualities`, `sounds`, and the functions that choose among them.
 * `options.start` is where to begin, in seconds; `options.language` the sound that is preferred.
 */
export async function play(video, address, failed, options = {}) {
  const { default: Hls } = await import("/static/vendor/hls.min.mjs");
  if (!Hls.isSupported()) return byBrowser(video, address, failed, options);
  return new Player(Hls, video, address, failed, options);
}

function byBrowser(video, address, failed, options) {
  video.src = address;
  video.addEventListener("error", failed, { once: true });
  if (options.start) {
    video.addEventListener("loadedmetadata", () => { video.currentTime = options.start; }, { once: true });
  }
  return null; // its own controls choose quality and language
}

class Player extends EventTarget {
  constructor(Hls, video, address, failed, options) {
    super();
    this.video = video;
    this.address = address;
    this.alone = null;
    this.language = options.language;
    this.rescued = false;
    this.Hls = Hls;
    this.failed = failed;
    // No worker: its script would come from a blob, which our policy does not allow.
    const hls = this.hls = new Hls({
      enableWorker: false, backBufferLength: 60,
      startPosition: options.start ?? -1, liveSyncDuration: BEHIND_S, liveSyncOnStallIncrease: 0.5,
      lowLatencyMode: true, maxLiveSyncPlaybackRate: CATCH_UP, // plays a little faster when late
      ...(options.language ? { audioPreference: { lang: options.language } } : {}),
    });
    const { Events } = Hls;
    hls.on(Events.ERROR, (_, problem) => this.wrong(problem));
    const changed = () => this.dispatchEvent(new Event("change"));
    for (const event of [Events.MANIFEST_PARSED, Events.AUDIO_TRACKS_UPDATED,
      Events.AUDIO_TRACK_SWITCHED, Events.LEVEL_SWITCHED, Events.LEVELS_UPDATED]) {
      hls.on(event, changed);
    }
    hls.loadSource(address);
    hls.attachMedia(video);
  }

  wrong(problem) {
    if (!problem.fatal) return;
    const { ErrorTypes } = this.Hls;
    if (problem.type === ErrorTypes.NETWORK_ERROR) {
      setTimeout(() => this.load(this.hls.url), 3000);
    } else if (problem.type === ErrorTypes.MEDIA_ERROR && !this.rescued) {
      this.rescued = true;
      this.hls.recoverMediaError();
    } else {
      this.failed();
    }
  }

  /** Go on with another playlist of the same recording, at the same place. */
  load(address) {
    const { hls, video } = this;
    const playing = !video.paused;
    hls.config.startPosition = this.live && this.atLive ? -1 : video.currentTime;
    hls.loadSource(address);
    if (playing) video.play().catch(() => {});
  }

  /** Heights of the picture that can be chosen, the largest first. */
  get qualities() {
    if (this.alone) return this.known ?? [];
    const heights = this.hls.levels.filter((level) => level.height).map((level) => level.height);
    this.known = [...new Set(heights)].sort((a, b) => b - a);
    return this.known;
  }

  /** The height that was chosen; 0: by itself. */
  get quality() {
    return this.hls.autoLevelEnabled ? 0 : this.hls.levels[this.hls.nextLevel]?.height ?? 0;
  }

  choose(height) {
    const level = this.hls.levels.findIndex((one) => one.height === height);
    const go = () => { this.hls.nextLevel = level; };
    if (!this.alone) return go();
    this.alone = null;
    this.hls.once(this.Hls.Events.MANIFEST_PARSED, () => {
      this.hls.nextLevel = this.hls.levels.findIndex((one) => one.height === height);
      this.say(this.language);
    });
    return this.load(this.address);
  }

  /** Leave the picture out; `address` is a playlist of sound. */
  soundAlone(address) {
    this.alone = address;
    this.load(address);
  }

  get sounds() {
    return this.hls.audioTracks.map((track) => ({ language: track.lang, name: track.name }));
  }

  say(language) {
    this.language = language;
    const track = this.hls.audioTracks.findIndex((one) => one.lang === language);
    if (track >= 0 && track !== this.hls.audioTrack) this.hls.audioTrack = track;
  }

  get live() {
    return this.hls.latestLevelDetails?.live ?? false;
  }

  get atLive() {
    const edge = this.hls.liveSyncPosition;
    return edge === null || this.video.currentTime > edge - AT_LIVE_S;
  }

  toLive() {
    const edge = this.hls.liveSyncPosition;
    if (edge !== null) this.video.currentTime = edge;
    this.video.play().catch(() => {});
  }

  /** Seconds that pass between the programme and what is seen; null when not known. */
  get delay() {
    const shown = this.hls.playingDate;
    return shown ? (Date.now() - shown.getTime()) / 1000 : null;
  }
}
