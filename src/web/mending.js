// Mends a leg whose media stopped: asks for a new way through the network by an ICE restart, looks
// whether anything arrives then, and gives up where nothing does. Part of call.js.

import { Timers } from "./socket.js";

/** A living path answers checks about every 2.5 s in Chromium; Firefox may be slower in silence. */
const ALIVE_WITHIN_MS = 3500;
/** An ICE restart that has not helped by then never will. */
const MENDED_WITHIN_MS = 6000;
/** The server refuses our offer while one of its own is under 5 s old and not answered. */
const GLARE_MS = 1500;

export class Mending {
  #leg; #offer; #done; #failed; #timers = new Timers(); #offerId = ""; #isLooking = false;

  /** `offer(sdp)` sends it and returns its confirm_id; `done()` and `failed()` tell the end. */
  constructor(leg, { offer, done, failed }) {
    this.#leg = leg;
    this.#offer = offer;
    this.#done = done;
    this.#failed = failed;
  }

  get isRunning() {
    return this.#timers.has("deadline");
  }

  /** Whether media flows; looks once at a time, and says "yes" to who asks meanwhile. */
  async isAlive() {
    if (this.#isLooking) return true;
    this.#isLooking = true;
    const lives = await this.#leg.hears(ALIVE_WITHIN_MS).catch(() => false);
    this.#isLooking = false;
    return lives;
  }

  start() {
    if (this.isRunning) return;
    this.#timers.after("deadline", MENDED_WITHIN_MS, () => this.#giveUp());
    this.#restart();
  }

  stop() {
    this.#timers.stopAll();
  }

  /** A browser that noticed no loss reports no `connected` either: what arrives tells. */
  async onAnswered() {
    if (!this.isRunning) return;
    const lives = await this.#leg.hears(MENDED_WITHIN_MS).catch(() => false);
    const isConnected = this.#leg.pc.connectionState === "connected";
    if (lives && isConnected && this.isRunning) this.#done();
  }

  /** Whether a warning about the event of this id was about an offer of ours. */
  onRefused(id, code) {
    if (!id || id !== this.#offerId) return false;
    if (!this.isRunning) return true;
    if (code === "glare") this.#timers.after("glare", GLARE_MS, () => this.#restart());
    else this.#giveUp();
    return true;
  }

  async #restart() {
    const sdp = await this.#leg.restart().catch(() => "");
    if (!this.isRunning) return;
    if (sdp) this.#offerId = this.#offer(sdp);
    else this.#giveUp();
  }

  #giveUp() {
    this.stop();
    this.#failed();
  }
}
