// What this browser itself knows about each voice: what arrives, what is made up, whether it
// plays, how loud. Draws nothing; the server's half of the story is the diagnosis' business.

export class Hearing {
  #player; #voices; #devices; #before = new Map(); #sent = null;

  constructor({ player, voices, devices }) {
    this.#player = player;
    this.#voices = voices;
    this.#devices = devices;
  }

  /** Begins to count anew. */
  forget() {
    this.#before.clear();
    this.#sent = null;
  }

  /**
   * Person's jid -> {mid, rate, loss, jitterMs, concealed, isPlaying} of his section since the last
   * look: `rate` in packets a second, shares 0..1, null at the first look. Not there: no section.
   */
  async look(client) {
    const lines = await this.#lines(client.pc);
    const found = new Map();
    for (const [mid, jid] of client.jidByMid) {
      if (!jid) continue;
      const line = lines.get(mid) ?? { rate: null, loss: null, jitterMs: 0, concealed: null };
      found.set(jid, { ...line, mid, isPlaying: this.#player.isPlaying(mid) });
    }
    return found;
  }

  /** What this browser sends: {rate, rttMs, lost, isSilenced}. */
  async own({ pc, track }) {
    const seen = { sent: 0, rttMs: null, lost: 0 };
    for (const report of (await pc?.getStats())?.values() ?? []) {
      if (report.type === "outbound-rtp") seen.sent += report.packetsSent ?? 0;
      if (report.type === "remote-inbound-rtp") seen.lost = report.fractionLost ?? 0;
      const rttS = report.currentRoundTripTime ?? report.roundTripTime;
      const isPath = report.nominated || report.type === "remote-inbound-rtp";
      if (isPath && rttS !== undefined) seen.rttMs ??= rttS * 1000;
    }
    const now = { count: seen.sent, at: performance.now() };
    const rate = this.#sent && rateOf(this.#sent, now);
    this.#sent = now;
    return { ...seen, rate, isSilenced: Boolean(track?.muted) };
  }

  /** What the listener himself has set. */
  wishes(jid) {
    return {
      isMutedHere: this.#voices.isMuted(jid),
      volume: this.#voices.volumeOf(jid) * this.#player.volume,
      isBlocked: this.#player.isBlocked,
      speaker: this.#devices.speakerLabel,
    };
  }

  async #lines(pc) {
    const lines = new Map();
    if (!pc) return lines;
    const mids = new Map(pc.getTransceivers().map(({ mid, receiver }) => [receiver.track.id, mid]));
    for (const report of (await pc.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      const mid = report.mid ?? mids.get(report.trackIdentifier);
      lines.set(mid, this.#since(mid, countersOf(report), report));
    }
    return lines;
  }

  #since(mid, now, report) {
    const before = this.#before.get(mid);
    this.#before.set(mid, now);
    const jitterMs = (report.jitter ?? 0) * 1000;
    const isNew = !before || now.count < before.count;
    if (isNew) return { rate: null, loss: null, jitterMs, concealed: null };
    const lost = Math.max(0, now.lost - before.lost);
    const all = lost + now.count - before.count;
    const samples = now.samples - before.samples;
    const concealed = Math.max(0, now.concealed - before.concealed) / Math.max(1, samples);
    return { rate: rateOf(before, now), loss: lost / Math.max(1, all), jitterMs, concealed };
  }
}

/** What is made up of silence while nobody speaks is not worth telling. */
function countersOf(report) {
  return {
    at: performance.now(),
    count: report.packetsReceived ?? 0,
    lost: report.packetsLost ?? 0,
    samples: report.totalSamplesReceived ?? 0,
    concealed: (report.concealedSamples ?? 0) - (report.silentConcealedSamples ?? 0),
  };
}

/** Packets a second, or null where a new connection counts from the start. */
function rateOf(before, now) {
  if (now.count < before.count) return null;
  return (now.count - before.count) / Math.max(0.001, (now.at - before.at) / 1000);
}
