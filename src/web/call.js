// A Voxhall call, without any user interface: this file and its parts (directory.js, leg.js,
// mending.js, seats.js, socket.js), free to lift into another client. meters.js adds loudness.
//
//   const client = new VoxhallClient({ base: location.origin, team, token, device, me });
//   client.addEventListener("track", (e) => play(e.detail.mid, e.detail.track));
//   client.connect();
//   client.join(chatJid, { track: microphoneTrack });
//
// It decides when to dial, to mend, to dial again and to give up. It knows no page, no microphone
// picker and no wording. Where a rule comes from: PROTOCOL (events), BROWSERS (what clients do).
//
// Events (`detail` in braces):
//   socket {state: connecting|open|lost|taken, retryMs?}   the signalling socket
//   online {contacts}   calls {}                           who is online, which chats have a call
//   call {call}         ended {jid, reason}                this device's call changed, is over
//   track {mid, track}  tracks {}                          a slot is there, voices moved in slots
//   talking {jid, actor, talking, _level}                  the server heard somebody begin or cease
//   buzz, buzzcancel, reject {params of the event}         ringing
//   muted {muted, everybody}                               the server changed our mute
//   muteall {jid, muted}                                   another muted all, or lifted the ban
//   warning {code, message, orig}   trouble {code}         a refusal; media that never connects
//   event {event, params}                                  anything else the server said
// `ended.reason`: left, rejected, no_answer, elsewhere, kicked, finished, or a refusal's code.

import { Directory } from "./directory.js";
import { Leg } from "./leg.js";
import { Mending } from "./mending.js";
import { Seats } from "./seats.js";
import { Timers, VoxhallSocket } from "./socket.js";

const REDIAL_MS = [400, 1000, 2000, 4000, 8000];
const ANSWER_WITHIN_MS = 10000;
const CONNECT_WITHIN_MS = 15000;
/** Browsers report `disconnected` for a mere hiccup; only a lasting one is worth mending. */
const HICCUP_MS = 2000;
/** A server that goes away says `finish` first; its socket closes within this time. */
const FAREWELL_MS = 1500;
const OF_A_LEG = ["client.call.offer", "client.call.trickle", "client.call.sdp"];
const WORTH_RETRYING = ["too_fast", "draining"];

export class VoxhallClient extends EventTarget {
  /** This device's call: {jid, uid, muted, link: calling|connecting|connected|lost}, or null. */
  call = null;
  /** The microphone's MediaStreamTrack, or null: then this device only listens. */
  track = null;

  #options; #socket; #features = {}; #timers = new Timers(); #directory = new Directory();
  #freshSocket = false; #leg = null; #mending = null; #offerId = ""; #attempts = 0;
  #seats = new Seats();

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

  /**
   * To be called after a sleep or a change of network: what does not live any more, socket or
   * media, is mended at once.
   */
  wake() {
    this.#socket.check();
    if (this.call?.link === "connected") this.#proveMedia();
    else if (this.call?.link === "lost" && this.isOpen) this.#recover();
  }

  /** Jids of the people who are online. */
  get online() {
    return this.#directory.online;
  }

  /** Chat jid -> the last server.call.state of its live call. */
  get calls() {
    return this.#directory.calls;
  }

  /** Server clock minus ours, in milliseconds; null before any call was told. */
  get clockLeadMs() {
    return this.#directory.clockLeadMs;
  }

  get isOpen() {
    return this.#socket.isOpen;
  }

  /** The RTCPeerConnection of the present leg, or null. */
  get pc() {
    return this.#leg?.pc ?? null;
  }

  /** mid -> jid of who is heard in that section now, "" where nobody is. */
  get jidByMid() {
    return this.#seats.jidByMid;
  }

  /** Person's jid -> the MediaStreamTrack that carries his voice now. */
  get tracksByJid() {
    return this.#seats.tracksByJid;
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
    await this.#leg?.setTrack(track);
    if (this.call && !track && !this.call.muted) this.setMuted(true);
  }

  /** Mutes all others; `sticky`: until `liftMute()` they may not unmute themselves. */
  muteAll({ sticky = false } = {}) {
    this.#say("client.call.muteall", { muted: true, sticky });
  }

  /** Lets those speak whom a sticky mute holds: it unmutes nobody. */
  liftMute() {
    this.#say("client.call.muteall", { muted: false });
  }

  /** Puts somebody out of the call. */
  kick(onliner) {
    this.#say("client.call.kick", { onliner });
  }

  /** Whether the server records calls; else `record` only sets a flag. */
  get canRecord() {
    return Boolean(this.#features.calls_record);
  }

  /** Rings `members` of the chat, or all of them; `stopRinging()` ends it. */
  ring(members = []) {
    this.#say("client.call.buzz", members.length > 0 ? { members } : {});
  }

  stopRinging() {
    this.#say("client.call.buzzcancel", {});
  }

  record(audiorecord) {
    this.#say("client.call.record", { uid: this.call?.uid, audiorecord });
  }

  /** Sends an event; it is resent until the server confirms it. Returns its confirm_id. */
  send(event, params) {
    return this.#socket.send(event, params);
  }

  #say(event, params) {
    return this.call && this.send(event, { jid: this.call.jid, ...params });
  }

  // Signalling

  async #prepare(refused) {
    const { base, reauthorize } = this.#options;
    if (refused && reauthorize) Object.assign(this.#options, await reauthorize());
    // Who one is: passwords for a relay are for people.
    const headers = { token: this.#options.token };
    const patience = { headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
    const answer = await fetch(new URL("/features.json", base), patience);
    const body = answer.ok ? await answer.json() : {};
    this.#features = body.result ?? body;
    this.#socket.resendAfterMs = (this.#features.resend_timeout ?? 5) * 1000;
    return this.#options;
  }

  #onSocket(detail) {
    if (detail.state === "open") {
      this.#freshSocket = true;
      if (this.call && this.call.link !== "connected") this.#recover();
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
    "server.call.muteall"(p) { this.#onMuteAll(p); },
    "server.call.leave"(p) { if (this.#isMine(p)) this.#onLeave(p._reason); },
    "server.call.restart"(p) { if (this.#isMine(p)) this.#dial(); },
    "server.call.talking"(p) { this.#emit("talking", p); },
    "server.call.buzz"(p) { this.#emit("buzz", p); },
    "server.call.buzzcancel"(p) { this.#emit("buzzcancel", p); },
    "server.call.reject"(p) {
      if (this.#isMine(p) && isDirect(p.jid)) this.call.rejected = true;
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
    const ice = { iceServers, iceTransportPolicy: policy };
    const leg = new Leg({ ice, slots: this.#options.slots, track: this.track });
    this.#watch(leg);
    this.#timers.after("dial", ANSWER_WITHIN_MS, () => this.#redial());
    const sdp = await leg.offer().catch(() => "");
    if (leg !== this.#leg || !sdp) return;
    const { jid, muted } = call;
    const wish = { jid, sdp, trickle: true, muted, call_type: "audio" };
    this.#offerId = this.send("client.call.offer", wish);
  }

  #watch(leg) {
    this.#leg = leg;
    this.#mending = new Mending(leg, {
      offer: (sdp) => this.#say("client.call.sdp", { uid: this.call.uid, jsep: offer(sdp) }),
      done: () => this.#onConnected(), failed: () => this.#dial(),
    });
    const on = (type, act) =>
      leg.addEventListener(type, ({ detail }) => leg === this.#leg && act(detail));
    on("track", (detail) => this.#emit("track", detail));
    on("state", ({ state }) => this.#onConnection(state));
    on("candidate", ({ candidate }) => this.#trickle(candidate));
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
    this.#mending?.stop();
    this.#leg?.close();
    this.#leg = this.#mending = null;
    this.#seats.clear();
    this.#emit("tracks", {});
  }

  #end(reason) {
    const { jid } = this.call;
    this.#forgetLeg();
    this.call = null;
    this.track = null;
    this.#emit("ended", { jid, reason });
  }

  #onLeave(reason) {
    if (reason === "kicked") return this.#end("kicked");
    if (reason === "other_device") return this.#end("elsewhere");
    if (reason === "media_lost" || reason === "socket_lost") return this.#dial();
    // A newer leg of our own took the place of an older one.
    if (reason !== "replaced") this.#onPutOut(reason);
  }

  /** The end of a call and another device both put this one out: the next state tells which. */
  #onPutOut(reason) {
    if (this.call.rejected) return this.#end("rejected");
    this.#forgetLeg();
    this.call.isPutOut = true;
    const ending = reason === "finished" ? reason : "elsewhere";
    this.#timers.after("farewell", FAREWELL_MS, () => this.call && this.#end(ending));
  }

  #trickle(candidate) {
    const text = candidate?.candidate ?? "";
    const place = { sdp_mid: candidate?.sdpMid ?? "0" };
    place.sdp_mline_index = candidate?.sdpMLineIndex ?? 0;
    this.send("client.call.trickle", { jid: this.call.jid, candidate: text, ...place });
  }

  #onConnection(state) {
    if (state === "connected") {
      this.#onConnected();
    } else if (state === "disconnected") {
      this.#setLink("lost");
      this.#timers.after("hiccup", HICCUP_MS, () => this.#recover());
    } else if (state === "closed" || (state === "failed" && !this.#mending.isRunning)) {
      this.#redial();
    }
  }

  #onConnected() {
    for (const timer of ["dial", "redial", "hiccup"]) this.#timers.stop(timer);
    this.#mending.stop();
    this.#attempts = 0;
    this.#setLink("connected");
  }

  async #proveMedia() {
    const leg = this.#leg;
    const lives = await this.#mending?.isAlive();
    if (leg && leg === this.#leg && !lives && this.call.link === "connected") this.#recover();
  }

  /** A leg that lived gets a new way through the network; else a new one takes its place. */
  #recover() {
    const canMend = this.call.uid && this.#leg?.isMendable;
    if (this.isOpen && !canMend) return this.#dial();
    this.#setLink("lost");
    if (!this.isOpen) return;
    this.#timers.stop("redial");
    this.#mending.start();
  }

  // Descriptions

  async #onSdp({ jid, uid, jsep, jids = [], candidates = [] }) {
    const leg = this.#leg;
    if (!leg || this.call?.jid !== jid) return;
    if (jsep.type === "answer") this.#onAnswered(uid);
    try {
      const sdp = await leg.take(jsep, candidates);
      if (leg !== this.#leg) return;
      if (sdp) this.#say("client.call.sdp", { uid, jsep: { type: "answer", sdp } });
    } catch {
      return leg === this.#leg && this.#redial();
    }
    this.#seats.describe(jsep.sdp, jids, leg.tracks);
    this.#emit("tracks", {});
    if (jsep.type === "answer") this.#mending.onAnswered();
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

  #onTracks({ jid, tracks }) {
    if (!this.#leg || jid !== this.call?.jid) return;
    this.#seats.move(tracks ?? [], this.#leg.tracks);
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

  #onMuteAll(p) {
    // The end of a sticky mute unmutes nobody.
    if (p.muted !== false) this.#onMuted({ jid: p.jid, muted: true }, true);
    if (this.#isMine(p)) this.#emit("muteall", p);
  }

  #onOnline({ contacts = [], calls }) {
    this.#directory.takeOnline({ contacts, calls }, this.#freshSocket);
    const orphan = this.#freshSocket && this.call?.uid && this.call.link === "connected";
    const isThere = calls?.some(({ jid, uid }) => jid === this.call?.jid && uid === this.call.uid);
    if (orphan && !isThere) this.#dial();
    this.#freshSocket = false;
    this.#emit("online", { contacts });
    this.#emit("calls", {});
  }

  #onState(state) {
    if (!this.#directory.takeState(state)) return;
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
    const id = orig?.confirm_id;
    if (this.#mending?.onRefused(id, code)) return;
    this.#emit("warning", { message, code, orig });
    if (!this.call) return;
    if (orig?.event === "client.call.sound") this.#onMuteRefused(orig.params);
    if (id !== this.#offerId) return;
    if (WORTH_RETRYING.includes(code)) this.#redial();
    else this.#end(code ?? "refused");
  }

  /** Under a sticky mute, say: then it stays as it was. */
  #onMuteRefused({ jid, muted }) {
    if (jid !== this.call.jid || muted !== this.call.muted) return;
    this.call.muted = !muted;
    this.#applyMute();
    this.#emit("call", { call: this.call });
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

function offer(sdp) {
  return { type: "offer", sdp };
}

function isDirect(jid) {
  return jid.startsWith("d-");
}
