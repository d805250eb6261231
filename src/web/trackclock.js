// A track's time is the speaker's crystal's, not the call's: from the one to the other by straight
// lines between the points of `clock` (docs/recordings.md). Pure.

/** Samples a second. */
const RATE = 48000;
const US_PER_S = 1e6;

export class TrackClock {
  #points;

  /** `points` [[sample, microsecond of the recording], ..], in order. */
  constructor(points) {
    this.#points = points.map(([sample, atUs]) => ({ track: sample / RATE, mix: atUs / US_PER_S }));
  }

  /** Seconds of the track that are heard at `mix` seconds of the recording. */
  trackTime(mix) {
    const points = this.#points;
    if (points.length === 0) return mix;
    const at = this.#lastBefore(mix);
    const [from, to] = [points[at], points[at + 1]];
    // Beyond the last point, and before the first, a second is a second.
    if (!to || mix < from.mix || to.mix <= from.mix) return from.track + mix - from.mix;
    const share = (mix - from.mix) / (to.mix - from.mix);
    return from.track + share * (to.track - from.track);
  }

  /** Place of the last point that is not after `mix`, or 0. A day has 17,000: they are halved. */
  #lastBefore(mix) {
    let [low, high] = [0, this.#points.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#points[middle].mix <= mix) low = middle;
      else high = middle;
    }
    return low;
  }
}
