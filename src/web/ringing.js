// Calls that ring here: a card for each, with a countdown and a soft tone.
// Events: `accept` {jid}, `refuse` {jid}.

import { h, icon, setText } from "./dom.js";

/** PROTOCOL section 4: a call rings for a minute unless the server says otherwise. */
const BUZZ_S = 60;
const TONE_EVERY_MS = 3000;
const TONES_HZ = [523.25, 659.25];

export class Ringing extends EventTarget {
  #place; #cards = new Map(); #tone = null; #tick = null; #context = null;

  constructor(place) {
    super();
    this.#place = place;
  }

  /** Who rings, in words, or "" in silence. */
  get text() {
    return this.#cards.values().next().value?.text ?? "";
  }

  /** `text` says who rings, on the card and in the title. */
  start({ jid, text, team, timeoutS = BUZZ_S }) {
    this.stop(jid);
    const left = h("span", { class: "ring-left", "aria-hidden": "true" });
    const title = h("p", { class: "ring-name", id: `ring-${jid}` }, text);
    const answer = (type) => () => {
      this.stop(jid);
      this.dispatchEvent(new CustomEvent(type, { detail: { jid } }));
    };
    const element = h("div", { class: "ring", role: "alertdialog", "aria-labelledby": title.id },
      h("div", {}, title, h("p", { class: "quiet" }, team ? `${team} · ` : "", left)),
      h("button", { type: "button", class: "danger", "data-test": "refuse",
        onclick: answer("refuse") }, icon("leave"), "Refuse"),
      h("button", { type: "button", class: "primary", "data-test": "accept",
        onclick: answer("accept") }, icon("call"), "Accept"));
    this.#cards.set(jid, { text, element, left, endsAt: Date.now() + timeoutS * 1000 });
    this.#place.append(element);
    if (document.activeElement === document.body) element.querySelector(".primary").focus();
    this.#run();
  }

  stop(jid) {
    this.#cards.get(jid)?.element.remove();
    this.#cards.delete(jid);
    this.#run();
  }

  /** A ring whose call went away, or does not ring any more, stops without a buzzcancel too. */
  follow(calls) {
    for (const [jid, card] of this.#cards) {
      const call = calls.get(jid);
      if (call ? call.gentime && !call.buzz : card.seen) this.stop(jid);
      card.seen ||= Boolean(call);
    }
  }

  stopAll() {
    for (const jid of [...this.#cards.keys()]) this.stop(jid);
  }

  #run() {
    const rings = this.#cards.size > 0;
    if (rings && !this.#tick) {
      this.#tick = setInterval(() => this.#count(), 500);
      this.#tone = setInterval(() => this.#play(), TONE_EVERY_MS);
      this.#play();
    } else if (!rings) {
      clearInterval(this.#tick);
      clearInterval(this.#tone);
      this.#tick = this.#tone = null;
    }
    this.#count();
  }

  #count() {
    for (const [jid, { left, endsAt }] of this.#cards) {
      const seconds = Math.ceil((endsAt - Date.now()) / 1000);
      if (seconds <= 0) this.stop(jid);
      else setText(left, `${seconds} s left`);
    }
  }

  /** Silent where the browser wants a tap first: then the card alone has to do. */
  #play() {
    this.#context ??= new AudioContext();
    const { currentTime: now } = this.#context;
    TONES_HZ.forEach((frequency, i) => {
      const at = now + i * 0.35;
      const tone = new OscillatorNode(this.#context, { frequency });
      const gain = new GainNode(this.#context, { gain: 0 });
      gain.gain.setTargetAtTime(0.08, at, 0.03);
      gain.gain.setTargetAtTime(0, at + 0.25, 0.12);
      tone.connect(gain).connect(this.#context.destination);
      tone.start(at);
      tone.stop(at + 1.2);
    });
  }
}
