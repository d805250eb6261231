// The signalling socket: comes back by itself, resends what was not confirmed, confirms what it
// reads and drops repeats. It knows no calls. Rules: PROTOCOL sections 1 and 5.
//
// Events: `state` {state: connecting|open|lost|taken, retryMs?} and `message` {event, params}.

const BACKOFF_MS = [400, 1000, 2000, 4000, 8000];
const OPEN_WITHIN_MS = 8000;
const PING_EVERY_MS = 15000;
const PONG_WITHIN_MS = 10000;
/** After a sleep or a change of network nobody wants to wait that long. */
const CHECK_WITHIN_MS = 2500;
/** The server forgets a confirm_id after two minutes, so nothing is resent near that age. */
const FORGET_AFTER_MS = 100000;
const SEEN_MAX = 512;
/** A newer socket of the same device took over. */
const TAKEN = 4001;

export class VoxhallSocket extends EventTarget {
  /** How long an event waits for its confirm (features.resend_timeout). */
  resendAfterMs = 5000;

  #base; #prepare; #socket = null; #timers = new Timers(); #wanted = false; #opening = false;
  #failures = 0; #refused = false; #heardAt = 0; #unconfirmed = new Map(); #seen = new Set();

  /**
   * `base` http(s) origin. `prepare(refused)` async -> {token, team, device}: asked before each
   * attempt; `refused` tells that the last one did not open. A throw counts as a failed attempt.
   */
  constructor(base, prepare) {
    super();
    this.#base = base;
    this.#prepare = prepare;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.#wanted = true;
    this.#timers.every("resend", 1000, () => this.#resend());
    this.#timers.every("ping", PING_EVERY_MS, () => this.#ping());
    this.#open();
  }

  close() {
    this.#wanted = false;
    this.#timers.stopAll();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** Tries at once instead of waiting for the back-off. */
  retryNow() {
    if (this.#wanted && !this.#socket && !this.#opening) this.#open();
  }

  /** Asks whether the socket lives, with little patience, and gets another where it does not. */
  check() {
    this.#failures = 0;
    this.retryNow();
    const socket = this.#socket;
    if (this.isOpen) this.#ping(CHECK_WITHIN_MS);
    else if (socket) this.#timers.after("open", CHECK_WITHIN_MS, () => this.#drop(socket));
  }

  /** Sends now, or as soon as the socket is open, and again until confirmed. Returns the id. */
  send(event, params) {
    const random = crypto.getRandomValues(new Uint8Array(12));
    const id = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const text = JSON.stringify({ event, confirm_id: id, params });
    const bornAt = Date.now();
    this.#unconfirmed.set(id, { event, text, bornAt, sentAt: this.isOpen ? bornAt : 0 });
    if (this.isOpen) this.#socket.send(text);
    return id;
  }

  /** Whether an event of this name still waits for its confirm. */
  isPending(event) {
    return [...this.#unconfirmed.values()].some((entry) => entry.event === event);
  }

  /** Stops resending events of these names: they speak of something that is no more. */
  forget(events) {
    for (const [id, { event }] of this.#unconfirmed) {
      if (events.includes(event)) this.#unconfirmed.delete(id);
    }
  }

  async #open() {
    this.#timers.stop("retry");
    this.#emit("state", { state: "connecting" });
    this.#opening = true;
    const pass = await this.#prepare(this.#refused).catch(() => null);
    this.#opening = false;
    if (!this.#wanted) return;
    if (!pass) return this.#whenLost(0);
    const url = new URL(`/messaging/${encodeURIComponent(pass.team)}`, this.#base);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ token: pass.token, device: pass.device });
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#refused = true;
    const mine = (act) => (event) => socket === this.#socket && act(event);
    socket.onopen = mine(() => this.#whenOpen());
    socket.onmessage = mine((message) => this.#read(message.data));
    socket.onclose = mine((close) => this.#whenLost(close.code));
    this.#timers.after("open", OPEN_WITHIN_MS, () => this.#drop(socket));
  }

  #whenOpen() {
    this.#timers.stop("open");
    this.#refused = false;
    this.#failures = 0;
    this.#heardAt = Date.now();
    for (const entry of this.#unconfirmed.values()) entry.sentAt = 0;
    this.#resend();
    this.#emit("state", { state: "open" });
  }

  #whenLost(code) {
    this.#timers.stop("open");
    this.#timers.stop("pong");
    this.#socket = null;
    if (code === TAKEN) {
      this.close();
      return this.#emit("state", { state: "taken" });
    }
    const step = BACKOFF_MS[Math.min(this.#failures++, BACKOFF_MS.length - 1)];
    const retryMs = Math.round(step * (0.6 + 0.4 * Math.random()));
    this.#timers.after("retry", retryMs, () => this.#open());
    this.#emit("state", { state: "lost", retryMs });
  }

  /** Gives a socket up without waiting for a close that may never come. */
  #drop(socket) {
    if (socket !== this.#socket) return;
    socket.onclose = null;
    socket.close();
    this.#whenLost(0);
  }

  #ping(patienceMs = PONG_WITHIN_MS) {
    if (!this.isOpen) return;
    const socket = this.#socket;
    const askedAt = Date.now();
    socket.send(JSON.stringify({ event: "client.ping", confirm_id: `ping-${askedAt}` }));
    this.#timers.after("pong", patienceMs, () => {
      if (this.#heardAt < askedAt) this.#drop(socket);
    });
  }

  #resend() {
    const now = Date.now();
    for (const [id, entry] of this.#unconfirmed) {
      if (now - entry.bornAt > FORGET_AFTER_MS) this.#unconfirmed.delete(id);
      else if (this.isOpen && now - entry.sentAt >= this.resendAfterMs) {
        entry.sentAt = now;
        this.#socket.send(entry.text);
      }
    }
  }

  #read(text) {
    this.#heardAt = Date.now();
    const { event, confirm_id: id, params = {} } = JSON.parse(text);
    if (event === "server.confirm") return this.#unconfirmed.delete(params.confirm_id);
    if (event === "server.panic") this.#refused = true;
    if (id) {
      this.#socket.send(JSON.stringify({ event: "client.confirm", params: { confirm_id: id } }));
      if (this.#seen.has(id)) return;
      this.#seen.add(id);
      if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.values().next().value);
    }
    this.#emit("message", { event, params });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Timers by name: setting one again replaces it. */
export class Timers {
  #running = new Map();

  after(name, ms, act) {
    this.stop(name);
    const timer = setTimeout(() => {
      this.#running.delete(name);
      act();
    }, ms);
    this.#running.set(name, timer);
  }

  every(name, ms, act) {
    this.stop(name);
    this.#running.set(name, setInterval(act, ms));
  }

  has(name) {
    return this.#running.has(name);
  }

  /** In browsers clearTimeout ends intervals as well: they share one list. */
  stop(name) {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  stopAll() {
    for (const name of [...this.#running.keys()]) this.stop(name);
  }
}
