// Plays the voices: one audio element for each slot, one volume, one speaker.
// Event `blocked` {blocked}: the browser waits for a tap before it lets the page sound.

export class Player extends EventTarget {
  #elements = new Map();
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
    for (const element of this.#elements.values()) element.volume = volume;
  }

  attach(mid, track) {
    const element = this.#elements.get(mid) ?? new Audio();
    this.#elements.set(mid, element);
    element.autoplay = true;
    element.volume = this.#volume;
    element.srcObject = new MediaStream([track]);
    if (this.#speaker) element.setSinkId?.(this.#speaker).catch(() => {});
    this.#play(element);
  }

  /** Rejects where the speaker is away or not allowed. */
  async chooseSpeaker(id) {
    const elements = [...this.#elements.values()];
    await Promise.all(elements.map((element) => element.setSinkId?.(id)));
    this.#speaker = id;
  }

  /** To be called from a tap or key press. */
  unlock() {
    this.#setBlocked(false);
    for (const element of this.#elements.values()) this.#play(element);
  }

  stop() {
    for (const element of this.#elements.values()) {
      element.pause();
      element.srcObject = null;
    }
    this.#elements.clear();
    this.#setBlocked(false);
  }

  #play(element) {
    element.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#setBlocked(true);
    });
  }

  #setBlocked(blocked) {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.dispatchEvent(new CustomEvent("blocked", { detail: { blocked } }));
  }
}
