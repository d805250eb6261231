// How loud each person is for me, and whom I do not want to hear: kept in this browser, by jid.
// Draws and plays nothing. Event `change` {jid}.

const KEY = "voxhall.voices";
const KEPT_MAX = 300;
const PLAIN = { volume: 1, muted: false };
/** Twice as loud as he comes. */
export const VOLUME_MAX = 2;

export class Voices extends EventTarget {
  #kept = new Map(read());

  /** 0 to VOLUME_MAX; 1 is as he comes. */
  volumeOf(jid) {
    return this.#of(jid).volume;
  }

  isMuted(jid) {
    return this.#of(jid).muted;
  }

  /** What his voice is multiplied by. */
  gainOf(jid) {
    return this.isMuted(jid) ? 0 : this.volumeOf(jid);
  }

  setVolume(jid, volume) {
    this.#keep(jid, { ...this.#of(jid), volume: Math.min(VOLUME_MAX, Math.max(0, volume)) });
  }

  setMuted(jid, muted) {
    this.#keep(jid, { ...this.#of(jid), muted });
  }

  #of(jid) {
    return this.#kept.get(jid) ?? PLAIN;
  }

  #keep(jid, wish) {
    this.#kept.delete(jid);
    if (wish.volume !== PLAIN.volume || wish.muted) this.#kept.set(jid, wish);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value);
    localStorage.setItem(KEY, JSON.stringify([...this.#kept]));
    this.dispatchEvent(new CustomEvent("change", { detail: { jid } }));
  }
}

/** What another version of the page, or a person, wrote there may be anything. */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return kept.filter(([jid, { volume, muted }]) =>
      typeof jid === "string" && volume >= 0 && volume <= VOLUME_MAX && typeof muted === "boolean");
  } catch {
    return [];
  }
}
