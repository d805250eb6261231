// Plays the voices: an outlet for each slot, one volume for all, one for each person, one speaker.
// Event `blocked` {blocked}: the browser waits for a tap before it lets the page sound.

import { Outlet } from "./outlet.js";

export class Player extends EventTarget {
  #outlets = new Map();
  #volume = Number(localStorage.getItem("voxhall.volume") ?? 1);
  #speaker = "";
  #blocked = false;

  static get canChooseSpeaker() {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  get volume() {
    return this.#volume;
  }

  /** 0 to 1. */
  set volume(volume) {
    this.#volume = volume;
    localStorage.setItem("voxhall.volume", volume);
    for (const outlet of this.#outlets.values()) outlet.volume = volume;
  }

  get isBlocked() {
    return this.#blocked;
  }

  attach(mid, track) {
    const outlet = this.#outlets.get(mid) ?? new Outlet();
    this.#outlets.set(mid, outlet);
    outlet.volume = this.#volume;
    if (this.#speaker) outlet.setSpeaker(this.#speaker)?.catch(() => {});
    this.#watch(outlet.carry(track));
  }

  /** Voices move between slots: `gains` mid -> what is heard there is multiplied by. */
  mix(gains) {
    for (const [mid, outlet] of this.#outlets) outlet.gain = gains.get(mid) ?? 1;
  }

  isPlaying(mid) {
    return this.#outlets.get(mid)?.isPlaying ?? false;
  }

  /** Rejects where the speaker is away or not allowed. */
  async chooseSpeaker(id) {
    await Promise.all([...this.#outlets.values()].map((outlet) => outlet.setSpeaker(id)));
    this.#speaker = id;
  }

  /** After a sleep, or a telephone call that stopped the page's sound. */
  resume() {
    for (const outlet of this.#outlets.values()) if (!outlet.isPlaying) this.#watch(outlet.play());
  }

  /** To be called from a tap or key press. */
  unlock() {
    this.#setBlocked(false);
    for (const outlet of this.#outlets.values()) this.#watch(outlet.play());
  }

  stop() {
    for (const outlet of this.#outlets.values()) outlet.stop();
    this.#outlets.clear();
    this.#setBlocked(false);
  }

  #watch(playing) {
    playing.catch((error) => {
      if (error.name === "NotAllowedError") this.#setBlocked(true);
    });
  }

  #setBlocked(blocked) {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.dispatchEvent(new CustomEvent("blocked", { detail: { blocked } }));
  }
}
