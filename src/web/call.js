// A Voxhall call, without any user interface: this file and socket.js, free to lift into another
// client. meters.js adds loudness and quality.
//
//   const client = new VoxhallClient({ base: location.origin, team, token, device, me });
//   client.addEventListener("track", (e) => play(e.detail.mid, e.detail.track));
//   client.connect();
//   client.join(chatJid, { track: microphoneTrack });
//
// It decides when to dial, to dial again and to give up. It knows no page, no microphone picker
// and no wording. Where a rule comes from: PROTOCOL (events), BROWSERS (what real clients do).
//
// Events (`detail` in braces):
//   socket {state: connecting|open|lost|taken, retryMs?}   the signalling socket
//   online {contacts}   calls {}                           who is online, which chats have a call
//   call {call}         ended {jid, reason}                this device's call changed, is over
//   track {mid, track}  tracks {}                          a slot is there, voices moved in slots
//   talking {jid, actor, talking, _level}                  the server heard somebody begin or cease
//   buzz, buzzcancel, reject {params of the event}         ringing
//   muted {muted, everybody}                               the server changed our mute
//   warning {code, message, orig}   trouble {code}         a refusal; media that never connects
//   event {event, params}                                  anything else the server said
// `ended.reason`: left, rejected, no_answer, elsewhere, finished, or the code of a refusal.

import { Timers, VoxhallSocket } from "./socket.js";

const REDIAL_MS = [400, 1000, 2000, 4000, 8000];
const ANSWER_WITHIN_MS = 10000;
const CONNECT_WITHIN_MS = 15000;
/** Browsers report `disconnected` for a mere hiccup; only a lasting one is worth a new leg. */
const HICCUP_MS = 4000;
/** A server that goes away says `finish` first; its socket closes within this time. */
const FAREWELL_MS = 1500;
const FINISHED_MAX = 256;
const OF_A_LEG = ["client.call.offer", "client.call.trickle", "client.call.sdp"];
const WORTH_RETRYING = ["too_fast", "draining"];

export class VoxhallClient extends EventTarget {
  /** Jids of the people who are online. */
  online = new Set();
  /** Chat jid -> the last server.call.state of its live call. */
  calls = new Map();
  /** This device's call: {jid, uid, muted, link: calling|connecting|connected|lost}, or null. */
  call = null;
  /** Person's jid -> the MediaStreamTrack that carries his voice now. */
  tracksByJid = new Map();
  /** The microphone's MediaStreamTrack, or null: then this device only listens. */
  track = null;
  /** The RTCPeerConnection of the present leg, or null. */
  pc = null;
  /** Server clock minus ours, in milliseconds. */
  clockLeadMs = null;

  #options; #socket; #features = {}; #timers = new Timers(); #finished = new Set();
  #freshSocket = false; #sender = null; #offerId = ""; #attempts = 0;
  #jidByMid = new Map(); #sdpQueue = Promise.resolve();

  /**
   * `base` http(s) origin; `team` uid; `token`; `device` at most 64 characters, one per tab; `me`
   * own jid; `slots` how many voices can be heard at once (sections offered ahead, so that nothing
   * is ever renegotiated); `reauthorize` async () => {token, team, me}, asked when the server did
   * not let the socket in.
   */
  constructor({ base, team, token, device, me, slots = 8, reauthorize = null }) {
    super();
    this.#options = { base, team, token, device, me, slots, reauthorize };
    this.#socket = new VoxhallSocket(base, (refused) => this.#prepare(refused));
    this.#socket.addEventListener("state", ({ detail }) => this.#onSocket(detail));
    this.#socket.addEventListener("message", ({ detail }) => this.#onMessage(detail));
  }

  /** Opens the socket and keeps it open until `close()`. */
  connect() {
    this.#socket.connect();
  }

  /** Leaves any call, closes the socket, stops every timer. */
  close() {
    this.leave();
    this.#timers.stopAll();
    this.#socket.close();
  }

  /** Tries the socket again at once instead of waiting for the back-off. */
  retryNow() {
    this.#socket.retryNow();
  }

  get isOpen() {
    return this.#socket.isOpen;
  }

  /** Starts the chat's call or joins it; accepting a ringing call is the same. */
  join(jid, { track = null, muted = false } = {}) {
    if (this.call) this.leave();
    this.track = track;
    this.#attempts = 0;
    const fresh = { uid: null, link: "calling", rejected: false, isPutOut: false };
    this.call = { ...fresh, jid, muted: muted || !track };
    this.#applyMute();
    this.#emit("call", { call: this.call });
    this.#dial();
  }

  leave(reason) {
    if (!this.call) return;
    const { jid } = this.call;
    this.#forgetLeg();
    this.send("client.call.leave", reason ? { jid, reason } : { jid });
    this.#end("left");
  }

  /** Refuses a call that rings. */
  reject(jid, reason) {
    this.send("client.call.reject", reason ? { jid, reason } : { jid });
  }

  setMuted(muted) {
    if (!this.call || (!muted && !this.track)) return;
    this.call.muted = muted;
    this.#applyMute();
    this.send("client.call.sound", { jid: this.call.jid, muted });
    this.#emit("call", { call: this.call });
  }

  /** Another microphone, or null for none: no renegotiation, nobody notices. */
  async setTrack(track) {
    this.track = track;
    this.#applyMute();
    await this.#sender?.replaceTrack(track);
    if (this.call && !track && !this.call.muted) this.setMuted(true);
  }

  /** Sends an event; it is resent until the server confirms it. Returns its confirm_id. */
  send(event, params) {
    return this.#socket.send(event, params);
  }

  // Signalling

  async #prepare(refused) {
    const { base, reauthorize } = this.#options;
    if (refused && reauthorize) Object.assign(this.#options, await reauthorize());
    const patience = { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
    const answer = await fetch(new URL("/features.json", base), patience);
    const body = answer.ok ? await answer.json() : {};
    this.#features = body.result ?? body;
    this.#socket.resendAfterMs = (this.#features.resend_timeout ?? 5) * 1000;
    return this.#options;
  }

  #onSocket(detail) {
    if (detail.state === "open") {
      this.#freshSocket = true;
      if (this.call && this.call.link !== "connected") this.#dial();
    } else {
      this.#timers.stop("farewell");
      if (detail.state === "taken" && this.call) this.#end("elsewhere");
    }
    this.#emit("socket", detail);
  }

  #onMessage({ event, params }) {
    const known = VoxhallClient.#HANDLERS[event];
    if (known) known.call(this, params);
    else this.#emit("event", { event, params });
  }

  static #HANDLERS = {
    "server.online"(p) { this.#onOnline(p); },
    "server.call.state"(p) { this.#onState(p); },
    "server.call.sdp"(p) { this.#onSdp(p); },
    "server.call.answer"(p) { this.#onSdp(p); },
    "server.call.tracks"(p) { this.#onTracks(p); },
    "server.call.sound"(p) { this.#onMuted(p, false); },
    "server.call.muteall"(p) { this.#onMuted(p, true); },
    "server.call.leave"(p) { if (this.#isMine(p)) this.#onPutOut(); },
    "server.call.restart"(p) { if (this.#isMine(p)) this.#dial(); },
    "server.call.talking"(p) { this.#emit("talking", p); },
    "server.call.buzz"(p) { this.#emit("buzz", p); },
    "server.call.buzzcancel"(p) { this.#emit("buzzcancel", p); },
    "server.call.reject"(p) {
      if (this.#isMine(p)) this.call.rejected = true;
      this.#emit("reject", p);
    },
    "server.warning"(p) { this.#onWarning(p); },
  };

  // The call

  /** Makes a new leg: a fresh connection and a fresh offer, for the first time or after a loss. */
  async #dial() {
    if (!this.isOpen) return;
    const { call } = this;
    this.#forgetLeg();
    call.isPutOut = false;
    this.#setLink("calling");
    const { ice_servers: iceServers = [], ice_transport_policy: policy = "all" } = this.#features;
    const ice = { iceServers, iceTransportPolicy: policy, bundlePolicy: "max-bundle" };
    const pc = new RTCPeerConnection(ice);
    this.pc = pc;
    const voice = pc.addTransceiver(this.track ?? "audio", { direction: "sendrecv" });
    this.#sender = voice.sender;
    for (let slot = 1; slot < this.#options.slots; slot++) {
      pc.addTransceiver("audio", { direction: "recvonly" });
    }
    pc.ontrack = ({ transceiver, track }) => this.#emit("track", { mid: transceiver.mid, track });
    pc.onconnectionstatechange = () => pc === this.pc && this.#onConnection(pc.connectionState);
    await pc.setLocalDescription().catch(() => {});
    if (pc !== this.pc || this.call !== call) return;
    const { sdp } = pc.localDescription;
    const { jid, muted } = call;
    const offer = { jid, sdp, trickle: true, muted, call_type: "audio" };
    this.#offerId = this.send("client.call.offer", offer);
    pc.onicecandidate = ({ candidate }) => pc === this.pc && this.#trickle(candidate);
    const dtls = voice.sender.transport;
    dtls?.addEventListener("statechange", () => {
      if (pc === this.pc && dtls.state === "closed") this.#redial();
    });
    this.#timers.after("dial", ANSWER_WITHIN_MS, () => this.#redial());
  }

  #redial() {
    if (!this.call || this.#timers.has("redial")) return;
    this.#timers.stop("dial");
    this.#setLink("lost");
    const step = REDIAL_MS[Math.min(this.#attempts++, REDIAL_MS.length - 1)];
    this.#timers.after("redial", step, () => this.call && this.#dial());
  }

  #forgetLeg() {
    this.#timers.stopAll();
    this.#socket.forget(OF_A_LEG);
    this.pc?.close();
    this.pc = null;
    this.#sender = null;
    this.#jidByMid.clear();
    this.#seat();
  }

  #end(reason) {
    const { jid } = this.call;
    this.#forgetLeg();
    this.call = null;
    this.track = null;
    this.#emit("ended", { jid, reason });
  }

  /** The end of a call and another device both put this one out: the next state tells which. */
  #onPutOut() {
    if (this.call.rejected) return this.#end("rejected");
    this.#forgetLeg();
    this.call.isPutOut = true;
    this.#timers.after("farewell", FAREWELL_MS, () => this.call && this.#end("elsewhere"));
  }

  #trickle(candidate) {
    const text = candidate?.candidate ?? "";
    const place = { sdp_mid: candidate?.sdpMid ?? "0" };
    place.sdp_mline_index = candidate?.sdpMLineIndex ?? 0;
    this.send("client.call.trickle", { jid: this.call.jid, candidate: text, ...place });
  }

  #onConnection(state) {
    if (state === "connected") {
      for (const timer of ["dial", "redial", "hiccup"]) this.#timers.stop(timer);
      this.#attempts = 0;
      this.#setLink("connected");
    } else if (state === "disconnected") {
      this.#setLink("lost");
      this.#timers.after("hiccup", HICCUP_MS, () => this.#redial());
    } else if (state === "failed") {
      this.#redial();
    }
  }

  #onSdp({ jid, uid, jsep, jids = [], candidates = [] }) {
    const { pc } = this;
    if (!pc || this.call?.jid !== jid) return;
    if (jsep.type === "answer") this.#onAnswered(uid);
    this.#sdpQueue = this.#sdpQueue.then(async () => {
      if (pc !== this.pc) return;
      await pc.setRemoteDescription(jsep);
      for (const candidate of candidates) await pc.addIceCandidate(candidate);
      if (jsep.type === "offer") {
        await pc.setLocalDescription();
        const answer = { type: "answer", sdp: pc.localDescription.sdp };
        this.send("client.call.sdp", { jid, uid, jsep: answer });
      }
      sendingMids(jsep.sdp).forEach((mid, i) => {
        if (jids[i] && !this.#jidByMid.has(mid)) this.#jidByMid.set(mid, jids[i]);
      });
      this.#seat();
    }).catch(() => pc === this.pc && this.#redial());
  }

  #onAnswered(uid) {
    this.call.uid = uid;
    if (this.call.link !== "calling") return;
    this.#setLink("connecting");
    this.#timers.after("dial", CONNECT_WITHIN_MS, () => {
      if (this.#attempts > 0) this.#emit("trouble", { code: "media_unreachable" });
      this.#redial();
    });
  }

  #onTracks(p) {
    if (p.jid !== this.call?.jid) return;
    for (const { mid, jid } of p.tracks ?? []) {
      for (const [other, who] of this.#jidByMid) if (who === jid) this.#jidByMid.set(other, "");
      this.#jidByMid.set(mid, jid);
    }
    this.#seat();
  }

  #seat() {
    const trackOf = new Map(this.pc?.getTransceivers().map((t) => [t.mid, t.receiver.track]));
    const seated = [...this.#jidByMid].filter(([mid, jid]) => jid && trackOf.has(mid));
    this.tracksByJid = new Map(seated.map(([mid, jid]) => [jid, trackOf.get(mid)]));
    this.#emit("tracks", {});
  }

  #onMuted({ jid, muted }, everybody) {
    const ours = this.call?.jid === jid && this.call.muted !== muted;
    if (!ours || this.#socket.isPending("client.call.sound")) return;
    if (!muted && !this.track) return;
    this.call.muted = muted;
    this.#applyMute();
    this.#emit("muted", { muted, everybody });
    this.#emit("call", { call: this.call });
  }

  #onOnline({ contacts = [], calls }) {
    this.online = new Set(contacts.map((contact) => contact.jid));
    const live = new Map((calls ?? []).map((call) => [call.jid, call]));
    for (const [jid, known] of this.calls) {
      const gone = live.get(jid)?.uid !== known.uid;
      if (gone && (this.#freshSocket || !known.gentime)) this.calls.delete(jid);
    }
    for (const [jid, call] of live) if (!this.calls.has(jid)) this.calls.set(jid, { ...call });
    const orphan = this.#freshSocket && this.call?.uid && this.call.link === "connected";
    if (orphan && live.get(this.call.jid)?.uid !== this.call.uid) this.#dial();
    this.#freshSocket = false;
    this.#emit("online", { contacts });
    this.#emit("calls", {});
  }

  #onState(state) {
    const known = this.calls.get(state.jid);
    const stale = known?.uid === state.uid && known.gentime >= state.gentime;
    if (stale || this.#finished.has(state.uid)) return;
    this.clockLeadMs = Math.max(this.clockLeadMs ?? -Infinity, state.gentime / 1e6 - Date.now());
    if (state.finish) this.#finished.add(state.uid);
    if (this.#finished.size > FINISHED_MAX) this.#finished.delete([...this.#finished][0]);
    if (!state.finish) this.calls.set(state.jid, state);
    else if (!known || known.uid === state.uid) this.calls.delete(state.jid);
    if (this.#isMine(state)) this.#onMyState(state);
    this.#emit("calls", {});
  }

  #onMyState(state) {
    if (state.finish) {
      const unheard = this.call.rejected ? "rejected" : "no_answer";
      if (!state.start) return this.#end(unheard);
      return this.#timers.after("farewell", FAREWELL_MS, () => this.call && this.#end("finished"));
    }
    if (this.call.isPutOut) return this.#end("elsewhere");
    const { me } = this.#options;
    const own = state.onliners?.find((onliner) => onliner.jid === me);
    if (own) this.#timers.stop("missing");
    else if (me) this.#timers.after("missing", FAREWELL_MS, () => this.#redial());
    if (own && !this.#socket.isPending("client.call.offer")) {
      this.#onMuted({ jid: state.jid, muted: own.muted }, false);
    }
  }

  #onWarning({ message, code, orig }) {
    this.#emit("warning", { message, code, orig });
    if (!this.call || orig?.confirm_id !== this.#offerId) return;
    if (WORTH_RETRYING.includes(code)) this.#redial();
    else this.#end(code ?? "refused");
  }

  // Small things

  #isMine({ jid, uid }) {
    return this.call !== null && this.call.link !== "calling" && this.call.jid === jid
      && (!uid || this.call.uid === uid);
  }

  #setLink(link) {
    if (!this.call || this.call.link === link) return;
    this.call.link = link;
    this.#emit("call", { call: this.call });
  }

  #applyMute() {
    if (this.track) this.track.enabled = !this.call?.muted;
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The mids of the sections in which the writer of this SDP sends, in order. */
function sendingMids(sdp) {
  const sections = sdp.split(/^m=/m).slice(1).filter((section) => section.startsWith("audio"));
  return sections
    .filter((section) => !/^a=(recvonly|inactive)\s*$/m.test(section))
    .map((section) => /^a=mid:(\S+)/m.exec(section)?.[1]);
}
