// One leg of a call: the connection of this device to the server, from its offer to its end. It
// knows descriptions and packets, but no call, no socket and no wording. Part of call.js.
//
// Events: `track` {mid, track}, `state` {state: as RTCPeerConnection.connectionState},
// `candidate` {candidate or null}. A closed leg says nothing any more.

const LOOK_EVERY_MS = 250;

export class Leg extends EventTarget {
  pc;

  #voice; #queue = Promise.resolve(); #isClosed = false;

  /** `ice` {iceServers, iceTransportPolicy}; `slots` voices to hear at once; `track` or null. */
  constructor({ ice, slots, track }) {
    super();
    const pc = new RTCPeerConnection({ ...ice, bundlePolicy: "max-bundle" });
    this.pc = pc;
    this.#voice = pc.addTransceiver(track ?? "audio", { direction: "sendrecv" });
    for (let slot = 1; slot < slots; slot++) pc.addTransceiver("audio", { direction: "recvonly" });
    pc.ontrack = (event) =>
      this.#emit("track", { mid: event.transceiver.mid, track: event.track });
    pc.onconnectionstatechange = () => this.#emit("state", { state: pc.connectionState });
    pc.onicecandidate = ({ candidate }) => this.#emit("candidate", { candidate });
  }

  /** The SDP of the first offer. */
  async offer() {
    await this.pc.setLocalDescription();
    const dtls = this.#voice.sender.transport;
    dtls?.addEventListener("statechange", () => {
      if (dtls.state === "closed") this.#emit("state", { state: "closed" });
    });
    return this.pc.localDescription.sdp;
  }

  /** The SDP of an offer that looks for a new way through the network; keys and sound stay. */
  restart() {
    return this.#inOrder(async () => {
      this.pc.restartIce();
      await this.pc.setLocalDescription();
      return this.pc.localDescription.sdp;
    });
  }

  /** Takes a description of the server's. The SDP of our answer, or null where it was one. */
  take(jsep, candidates) {
    return this.#inOrder(async () => {
      await this.pc.setRemoteDescription(jsep);
      for (const candidate of candidates) await this.pc.addIceCandidate(candidate);
      if (jsep.type !== "offer") return null;
      await this.pc.setLocalDescription();
      return this.pc.localDescription.sdp;
    });
  }

  setTrack(track) {
    return this.#voice.sender.replaceTrack(track);
  }

  /** mid -> the track of what arrives there. */
  get tracks() {
    return new Map(this.pc.getTransceivers().map(({ mid, receiver }) => [mid, receiver.track]));
  }

  /** Whether an ICE restart may help: it was connected, and its keys are still good. */
  get isMendable() {
    return ["connected", "disconnected"].includes(this.pc.connectionState);
  }

  /** Whether anything at all arrives within this time: a packet, or the answer to a check. */
  async hears(withinMs) {
    const deadline = performance.now() + withinMs;
    let before = await this.#received();
    while (performance.now() < deadline && !this.#isClosed) {
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
      const now = await this.#received();
      if (now > before) return true;
      before = now;
    }
    return false;
  }

  close() {
    this.#isClosed = true;
    this.pc.close();
  }

  /** Grows with all that comes in. It may shrink when a pair of candidates is given up. */
  async #received() {
    let sum = 0;
    for (const report of (await this.pc.getStats()).values()) {
      if (report.type === "transport") sum += report.packetsReceived ?? 0;
      if (report.type !== "candidate-pair") continue;
      sum += (report.responsesReceived ?? 0) + (report.bytesReceived ?? 0);
    }
    return sum;
  }

  /** Descriptions are taken one after the other, whatever the first one does. */
  #inOrder(act) {
    const done = this.#queue.then(act);
    this.#queue = done.catch(() => {});
    return done;
  }

  #emit(type, detail) {
    if (!this.#isClosed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
