// A recording's sound. All as it was: the mix, by one <audio>. Somebody alone or turned down: the
// separate tracks, while the mix runs on silently as the clock that they follow. So the position
// is the mix's at any time, whoever is heard.
// Event `change`: it plays or rests, its speed, what is heard, or what is amiss has changed.

import { VoiceTrack } from "./voicetrack.js";
import { TRACKS_MAX, Wishes, mostWanted } from "./wishes.js";

const FOLLOW_EVERY_MS = 100;
/** A track is fetched so long before it begins. */
const AHEAD_S = 10;
export const SPEEDS = [0.75, 1, 1.25, 1.5, 2];

export class Tape extends EventTarget {
  #mix = new Audio(); #sources; #tracks; #segments; #load; #durationS;
  #wishes = new Wishes(); #timer = null; #isOnTracks = false; #speed = 1;
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
    return this.#wishes.isParted && !this.#isOnTracks && this.#trouble !== "tracks";
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
    return this.#wishes.of(jid);
  }

  /** `wish` {solo?, volume?}; volume 0 to 1. */
  setVoice(jid, wish) {
    this.#wishes.take(jid, wish);
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
    const wanted = this.#wishes.isParted ? this.#wanted(atS) : [];
    for (const track of wanted) if (!track.isLoaded) this.#fetch(track);
    const chosen = new Set(wanted.filter((track) => track.covers(atS)));
    const isReady = [...chosen].every((track) => track.isLoaded);
    this.#turnTo(this.#wishes.isParted && (this.#isOnTracks || isReady));
    const isRunning = this.#isOnTracks && this.isPlaying && !this.#mix.seeking
      && this.#mix.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    for (const track of this.#tracks) {
      const isHeard = isRunning && chosen.has(track) && track.isLoaded;
      if (isHeard) track.follow({ atS, speed: this.#speed, gain: this.#wishes.gainOf(track.jid) });
      else track.rest();
    }
  }

  #turnTo(isOnTracks) {
    this.#mix.muted = isOnTracks;
    if (this.#isOnTracks === isOnTracks) return;
    this.#isOnTracks = isOnTracks;
    this.#tell();
  }

  /** The tracks that are to be heard now or soon, and not too many. */
  #wanted(atS) {
    const isNear = (track) => track.fromS - AHEAD_S <= atS && atS < track.toS;
    const isHeard = (track) => this.#wishes.gainOf(track.jid) > 0;
    const near = this.#tracks.filter((track) => isNear(track) && isHeard(track));
    const isCrowd = near.length > TRACKS_MAX;
    if (isCrowd !== (this.#trouble === "crowd") && this.#trouble !== "mix") {
      this.#trouble = isCrowd ? "crowd" : "";
      this.#tell();
    }
    return isCrowd ? mostWanted(near, this.#segments, atS * 1000) : near;
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
