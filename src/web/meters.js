// Loudness and quality of a running call, read from a VoxhallClient. Draws nothing.

/** A voice that stopped arriving keeps its last level no longer than this. */
const STALE_MS = 300;
/** Share of packets lost, and round trip: from here on people notice, from there they suffer. */
const FAIR = { loss: 0.02, rttMs: 250 };
const POOR = { loss: 0.08, rttMs: 500 };
/** Loudness 0..1 (root mean square) above which a voice counts as talking: about -46 dBov. */
const TALKS_ABOVE = 0.005;
/** As the server's own rule: ceased after 800 ms without voice. */
const TALKS_ON_MS = 800;

export class CallMeters {
  #client; #own = null; #last = new Map(); #spokeAt = new Map(); #counters = null; #context = null;

  constructor(client) {
    this.#client = client;
  }

  /** Own loudness, 0 to 1, from the microphone's samples; 0 while muted. */
  ownLevel() {
    const { track, call } = this.#client;
    if (!track || !call) return 0;
    if (this.#own?.track !== track) {
      this.#own?.source.disconnect();
      const context = (this.#context ??= new AudioContext());
      const analyser = new AnalyserNode(context, { fftSize: 1024 });
      const source = context.createMediaStreamSource(new MediaStream([track]));
      source.connect(analyser);
      this.#own = { track, source, analyser, samples: new Float32Array(1024) };
    }
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
    const { analyser, samples } = this.#own;
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  }

  /** Person's jid -> loudness 0 to 1 of what arrives from him now. */
  levels() {
    const levels = new Map();
    const receivers = this.#client.pc?.getReceivers() ?? [];
    const receiverOf = new Map(receivers.map((receiver) => [receiver.track, receiver]));
    for (const [jid, track] of this.#client.tracksByJid) {
      const source = receiverOf.get(track)?.getSynchronizationSources?.()[0];
      if (!source) continue;
      const last = this.#last.get(jid);
      const now = performance.now();
      const moved = last?.timestamp !== source.timestamp;
      if (moved) this.#last.set(jid, { timestamp: source.timestamp, at: now });
      levels.set(jid, moved || now - last.at < STALE_MS ? (source.audioLevel ?? 0) : 0);
    }
    return levels;
  }

  /** Whether somebody of this loudness counts as talking, pauses between words bridged. */
  isTalking(jid, level) {
    const now = performance.now();
    if (level > TALKS_ABOVE) this.#spokeAt.set(jid, now);
    return now - (this.#spokeAt.get(jid) ?? -Infinity) < TALKS_ON_MS;
  }

  /** Since the last time: {rttMs, jitterMs, loss 0..1, quality: good|fair|poor, cipher}. */
  async quality() {
    const seen = { received: 0, lost: 0, rttMs: 0, jitterMs: 0, uplinkLoss: 0, cipher: "" };
    for (const report of (await this.#client.pc?.getStats())?.values() ?? []) {
      if (report.type === "inbound-rtp") {
        seen.received += report.packetsReceived ?? 0;
        seen.lost += report.packetsLost ?? 0;
        seen.jitterMs = Math.max(seen.jitterMs, (report.jitter ?? 0) * 1000);
      } else if (report.type === "candidate-pair" && report.nominated) {
        seen.rttMs = (report.currentRoundTripTime ?? 0) * 1000;
      } else if (report.type === "remote-inbound-rtp") {
        seen.uplinkLoss = report.fractionLost ?? 0;
      } else if (report.type === "transport") {
        seen.cipher = report.srtpCipher ?? "";
      }
    }
    const before = this.#counters?.received <= seen.received ? this.#counters : seen;
    const lost = Math.max(0, seen.lost - before.lost);
    const received = seen.received - before.received;
    const loss = Math.max(seen.uplinkLoss, lost / Math.max(1, lost + received));
    this.#counters = seen;
    const beyond = (limit) => loss > limit.loss || seen.rttMs > limit.rttMs;
    const quality = beyond(POOR) ? "poor" : beyond(FAIR) ? "fair" : "good";
    return { rttMs: seen.rttMs, jitterMs: seen.jitterMs, loss, quality, cipher: seen.cipher };
  }
}
