// A recording's sound. All as it was: the mix, by one <audio>. Somebody alone or turned down: the
// separate tracks, while the mix runs on silently as the clock that they follow. So the position
// is the mix's at any time, whoever is heard.
// Event `change`: it plays or rests, its speed, what is heard, or what is amiss has changed.

import { VoiceTrack } from "./voicetrack.js";

const FOLLOW_EVERY_MS = 100;
/** <audio> elements that play at once: a browser has room for some dozen. */
const TRACKS_MAX = 16;
/** Its tracks are fetched so long before somebody comes back. */
const AHEAD_S = 10;
const PLAIN = { solo: false, volume: 1 };
export const SPEEDS = [0.75, 1, 1.25, 1.5, 2];

export class Tape extends EventTarget {
  #mix = new Audio(); #sources; #tracks; #segments; #load; #durationS;
  #voices = new Map(); #timer = null; #isOnTracks = false; #speed = 1;
  #loading = Promise.resolve(); #asked = new Set(); #isClosed = false;
  /** `mix`: it cannot be played. `tracks`: not all are there. `crowd`: more than TRACKS_MAX. */
  #trouble = "";

  /**
   * `sources` are addresses of the mix, the best first; `load(file)` gives a blob of a track.
   * `tracks`, `segments` and `duration_ms` as in call.json.
   */
  constructor({ sources, load, tracks, segments, duration_ms }) {
    super();
    this.#sources = [...sources];
    this.#load = load;
    this.#durationS = duration_ms / 1000;
    this.#segments = segments;
    this.#tracks = tracks.map((track) => new VoiceTrack(track));
    for (const type of ["play", "pause", "ended", "seeked", "waiting", "playing"]) {
      this.#mix.addEventListener(type, () => this.#onMix());
    }
    this.#mix.addEventListener("error", () => this.#nextSource());
    this.#mix.preload = "metadata";
    this.#nextSource();
  }

  /** Whether this browser can play single voices. */
  static get canPlayTracks() {
    return new Audio().canPlayType('audio/ogg; codecs="opus"') !== "";
  }

  /** In seconds. */
  get position() {
    return Math.min(this.#mix.currentTime, this.#durationS);
  }

  get duration() {
    return this.#durationS;
  }

  get isPlaying() {
    return !this.#mix.paused && !this.#mix.ended;
  }

  get isLoading() {
    return this.#isParted && !this.#isOnTracks && this.#trouble !== "tracks";
  }

  get trouble() {
    return this.#trouble;
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#speed = speed;
    this.#mix.playbackRate = this.#mix.defaultPlaybackRate = speed;
    this.#tell();
  }

  /** Every <audio> element there is, the mix's first. */
  get sounds() {
    return [this.#mix, ...this.#tracks.map((track) => track.audio).filter(Boolean)];
  }

  play() {
    if (this.#mix.ended || this.position >= this.#durationS) this.seek(0);
    return this.#mix.play().catch(() => this.#tell());
  }

  pause() {
    this.#mix.pause();
  }

  seek(seconds) {
    this.#mix.currentTime = Math.min(Math.max(0, seconds), this.#durationS);
    this.#tell();
  }

  voiceOf(jid) {
    return this.#voices.get(jid) ?? PLAIN;
  }

  /** `wish` {solo?, volume?}; volume 0 to 1. */
  setVoice(jid, wish) {
    this.#voices.set(jid, { ...this.voiceOf(jid), ...wish });
    this.#asked.clear();
    if (this.#trouble === "tracks") this.#trouble = "";
    this.#follow();
    this.#tell();
  }

  /** Nothing sounds any more, and nothing is held. */
  close() {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#sources = [];
    this.#mix.pause();
    this.#mix.removeAttribute("src");
    this.#mix.load();
    for (const track of this.#tracks) track.unload();
  }

  /** Somebody is not heard as he was. */
  get #isParted() {
    return [...this.#voices.values()].some(({ solo, volume }) => solo || volume < 1);
  }

  #gainOf(jid) {
    const isSolo = [...this.#voices.values()].some(({ solo }) => solo);
    const { solo, volume } = this.voiceOf(jid);
    return isSolo && !solo ? 0 : volume;
  }

  #onMix() {
    clearInterval(this.#timer);
    if (this.#isClosed) return;
    if (this.isPlaying) this.#timer = setInterval(() => this.#follow(), FOLLOW_EVERY_MS);
    this.#follow();
    this.#tell();
  }

  /** What cannot be played, or is not there, gives way to the next. */
  #nextSource() {
    if (this.#isClosed) return;
    const source = this.#sources.shift();
    if (!source) {
      this.#trouble = "mix";
      return this.#tell();
    }
    const [at, isPlaying] = [this.#mix.currentTime, this.isPlaying];
    this.#mix.src = source;
    this.#mix.currentTime = at;
    this.#mix.playbackRate = this.#speed;
    if (isPlaying) this.play();
  }

  /** The tracks follow the mix; as long as one of them is still on its way the mix is heard. */
  #follow() {
    if (this.#isClosed) return;
    const atS = this.position;
    const wanted = this.#isParted ? this.#wanted(atS) : [];
    for (const track of wanted) if (!track.isLoaded) this.#fetch(track);
    const chosen = new Set(wanted.filter((track) => track.covers(atS)));
    const isReady = [...chosen].every((track) => track.isLoaded);
    this.#turnTo(this.#isParted && (this.#isOnTracks || isReady));
    const isRunning = this.#isOnTracks && this.isPlaying && !this.#mix.seeking
      && this.#mix.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    for (const track of this.#tracks) {
      const isHeard = isRunning && chosen.has(track) && track.isLoaded;
      if (isHeard) track.follow({ atS, speed: this.#speed, gain: this.#gainOf(track.jid) });
      else track.rest();
    }
  }

  #turnTo(isOnTracks) {
    this.#mix.muted = isOnTracks;
    if (this.#isOnTracks === isOnTracks) return;
    this.#isOnTracks = isOnTracks;
    this.#tell();
  }

  /** The tracks that are to be heard now or soon; of too many, those of who speaks now. */
  #wanted(atS) {
    const isNear = (track) => track.fromS - AHEAD_S <= atS && atS < track.toS;
    const near = this.#tracks.filter((track) => isNear(track) && this.#gainOf(track.jid) > 0);
    const isCrowd = near.length > TRACKS_MAX;
    if (isCrowd !== (this.#trouble === "crowd") && this.#trouble !== "mix") {
      this.#trouble = isCrowd ? "crowd" : "";
      this.#tell();
    }
    if (!isCrowd) return near;
    const ms = atS * 1000;
    const speaking = new Set(this.#segments.filter(({ from_ms, to_ms }) =>
      from_ms <= ms && ms < to_ms).map(({ jid }) => jid));
    const rank = (track) => (speaking.has(track.jid) ? 2 : 0) + (track.isPlaying ? 1 : 0);
    return near.sort((a, b) => rank(b) - rank(a)).slice(0, TRACKS_MAX);
  }

  /**
   * One after the other and whole: a server sends a person few files at once, and a browser that
   * streamed sixteen would have no connection left for the page.
   */
  #fetch(track) {
    if (this.#asked.has(track)) return;
    this.#asked.add(track);
    this.#loading = this.#loading.then(async () => {
      if (this.#isClosed || track.isLoaded) return;
      const blob = await this.#load(track.file);
      if (!this.#isClosed) track.load(URL.createObjectURL(blob));
    }).catch(() => { this.#trouble ||= "tracks"; }).then(() => {
      this.#follow();
      if (!this.#isClosed) this.#tell();
    });
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
