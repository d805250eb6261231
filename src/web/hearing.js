// What this browser itself knows about each voice: what arrives, what is made up, whether it
// plays, how loud. Draws nothing; the server's half of the story is the diagnosis' business.

export class Hearing {
  #player; #voices; #devices; #before = new Map(); #sent = null;

  constructor({ player, voices, devices }) {
    this.#player = player;
    this.#voices = voices;
    this.#devices = devices;
  }

  /**
   * Person's jid -> {mid, fresh, loss, jitterMs, concealed, isPlaying} of his section since the
   * last look (`fresh` packets, shares 0..1, null at the first look). Not there: nobody's section.
   */
  async look(client) {
    const lines = await this.#lines(client.pc);
    const found = new Map();
    for (const [mid, jid] of client.jidByMid) {
      if (!jid) continue;
      const line = lines.get(mid) ?? { fresh: null, loss: null, jitterMs: 0, concealed: null };
      found.set(jid, { ...line, mid, isPlaying: this.#player.isPlaying(mid) });
    }
    return found;
  }

  /** What this browser sends: {sent, rttMs, lost, isSilenced}, `sent` since then. */
  async own({ pc, track }) {
    const seen = { sent: 0, rttMs: 0, lost: 0 };
    for (const report of (await pc?.getStats())?.values() ?? []) {
      if (report.type === "outbound-rtp") seen.sent += report.packetsSent ?? 0;
      if (report.type === "remote-inbound-rtp") seen.lost = report.fractionLost ?? 0;
      const isUsed = report.type === "candidate-pair" && report.nominated;
      if (isUsed) seen.rttMs = (report.currentRoundTripTime ?? 0) * 1000;
    }
    const before = this.#sent;
    this.#sent = seen.sent;
    const sent = before === null || seen.sent < before ? null : seen.sent - before;
    return { ...seen, sent, isSilenced: Boolean(track?.muted) };
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
    const isNew = !before || now.received < before.received;
    if (isNew) return { fresh: null, loss: null, jitterMs, concealed: null };
    const fresh = now.received - before.received;
    const lost = Math.max(0, now.lost - before.lost);
    const samples = now.samples - before.samples;
    const concealed = Math.max(0, now.concealed - before.concealed) / Math.max(1, samples);
    return { fresh, loss: lost / Math.max(1, lost + fresh), jitterMs, concealed };
  }
}

/** What is made up of silence while nobody speaks is not worth telling. */
function countersOf(report) {
  return {
    received: report.packetsReceived ?? 0,
    lost: report.packetsLost ?? 0,
    samples: report.totalSamplesReceived ?? 0,
    concealed: (report.concealedSamples ?? 0) - (report.silentConcealedSamples ?? 0),
  };
}
