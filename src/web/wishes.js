// Whom one wants to hear of a recording, and how loud. Plays nothing.

/** <audio> elements that play at once: a browser has room for some dozen. */
export const TRACKS_MAX = 16;
const PLAIN = { solo: false, volume: 1 };

export class Wishes {
  #voices = new Map();

  /** {solo, volume} of a person; volume 0 to 1. */
  of(jid) {
    return this.#voices.get(jid) ?? PLAIN;
  }

  take(jid, wish) {
    this.#voices.set(jid, { ...this.of(jid), ...wish });
  }

  /** Somebody is not to be heard as he was. */
  get isParted() {
    return [...this.#voices.values()].some(({ solo, volume }) => solo || volume < 1);
  }

  /** What his voice is multiplied by: who is not soloed is silent where somebody is. */
  gainOf(jid) {
    const isSolo = [...this.#voices.values()].some(({ solo }) => solo);
    const { solo, volume } = this.of(jid);
    return isSolo && !solo ? 0 : volume;
  }
}

/** Of too many tracks those of who speaks at `ms`, then those that play already. */
export function mostWanted(tracks, segments, ms) {
  const now = segments.filter(({ from_ms, to_ms }) => from_ms <= ms && ms < to_ms);
  const speaking = new Set(now.map(({ jid }) => jid));
  const rank = (track) => (speaking.has(track.jid) ? 2 : 0) + (track.isPlaying ? 1 : 0);
  return [...tracks].sort((a, b) => rank(b) - rank(a)).slice(0, TRACKS_MAX);
}
