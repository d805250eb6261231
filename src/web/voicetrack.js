// One separate track of a recording: an <audio> element that is kept at its place beside the mix.

import { TrackClock } from "./trackclock.js";

/** Farther off than this one hears two rooms. */
const OFF_MAX_S = 0.04;
const CORRECT_EVERY_MS = 1000;
/** How late a seek may make an element and still be made up for. */
const LEAD_MAX_S = 0.3;

export class VoiceTrack {
  jid; file; fromS; toS;

  #clock; #audio = null; #correctedMs = 0;
  /** What a seek takes: the mix goes on meanwhile. Learnt from how late the last one came. */
  #leadS = 0;

  /** `track` as in call.json. */
  constructor({ jid, file, from_ms, to_ms, clock }) {
    Object.assign(this, { jid, file, fromS: from_ms / 1000, toS: to_ms / 1000 });
    this.#clock = new TrackClock(clock);
  }

  get audio() {
    return this.#audio;
  }

  get isLoaded() {
    return this.#audio !== null;
  }

  get isPlaying() {
    return this.#audio !== null && !this.#audio.paused;
  }

  /** Whether it has sound at `atS` seconds of the recording. */
  covers(atS) {
    return atS >= this.fromS && atS < this.toS;
  }

  load(address) {
    this.#audio = new Audio(address);
  }

  /** Called some times a second; `atS` is where the mix is. */
  follow({ atS, speed, gain }) {
    const audio = this.#audio;
    audio.volume = gain;
    audio.playbackRate = speed;
    const off = audio.currentTime - this.#clock.trackTime(atS);
    if (audio.paused) {
      this.#place(atS, 0);
      // A pause, or an end, that comes before it plays is no fault.
      audio.play().catch(() => {});
    } else if (!audio.seeking && Math.abs(off) > OFF_MAX_S && this.#mayCorrect()) {
      const isLate = Math.abs(off) < LEAD_MAX_S;
      this.#leadS = isLate ? Math.min(LEAD_MAX_S, Math.max(0, this.#leadS - off / speed)) : 0;
      this.#place(atS, this.#leadS * speed);
    }
  }

  rest() {
    this.#audio?.pause();
  }

  unload() {
    this.rest();
    if (this.#audio) URL.revokeObjectURL(this.#audio.src);
    this.#audio = null;
  }

  #place(atS, leadS) {
    this.#audio.currentTime = Math.max(0, this.#clock.trackTime(atS) + leadS);
    this.#correctedMs = performance.now();
  }

  #mayCorrect() {
    return performance.now() - this.#correctedMs > CORRECT_EVERY_MS;
  }
}
