// The call on the stage: who is in it, how it stands, own level, the controls.

import { arrange, setAttributes, setText } from "./dom.js";
import { clock } from "./figures.js";
import { drawPerson, makePerson } from "./person.js";

const QUALITY = { good: "Good line", fair: "Fair line", poor: "Poor line" };
const MUTES = {
  on: { label: "Mute", icon: "#i-mic" },
  off: { label: "Unmute", icon: "#i-mic-off" },
  none: { label: "Use mic", icon: "#i-mic-off" },
  held: { icon: "#i-lock" },
};
const PARTS = ["empty", "call", "call-name", "state", "timer", "count", "quality", "recording",
  "people", "hint", "controls", "mute", "leave", "meter"];
/** How much of full loudness each decibel takes away: 50 dB of range. */
const RANGE_DB = 50;

export class CallView {
  #parts; #people = new Map(); #meters; #client; #voices; #make; #serverTalk = new Map();

  constructor(root, { client, meters, voices, onKick }) {
    this.#client = client;
    this.#meters = meters;
    this.#voices = voices;
    this.#make = (jid) => makePerson(jid, { voices, onKick });
    const parts = PARTS.map((name) => [name, root.querySelector(`#${name}`)]);
    this.#parts = Object.fromEntries(parts);
  }

  /** The server's word on who talks goes before our own ears. */
  hearServer({ actor, talking, _level: dBov }) {
    this.#serverTalk.set(actor, { talking, dBov });
  }

  /** What it says while it cannot reach us is missed: own ears, until its next word. */
  forgetServer() {
    this.#serverTalk.clear();
  }

  /** What wording.js's describeCall() tells. */
  draw({ chat, people, count, state, link, mute, muteText, hint, elapsedS, isRecorded }) {
    const { empty, call, controls, ...parts } = this.#parts;
    empty.hidden = chat !== null;
    call.hidden = controls.hidden = chat === null;
    if (!chat) return this.#clear();
    setText(parts["call-name"], chat.name);
    setText(parts.state, state);
    setAttributes(parts.state, { "data-link": link });
    setText(parts.timer, elapsedS === null ? "" : clock(elapsedS));
    setText(parts.count, count);
    parts.recording.hidden = !isRecorded;
    setText(parts.recording, isRecorded ? "Being recorded" : "");
    arrange(parts.people, this.#people, people.map((person) => person.jid), this.#make);
    for (const person of people) drawPerson(this.#people.get(person.jid), person, this.#voices);
    parts.hint.hidden = !hint;
    setText(parts.hint, hint);
    setText(parts.mute.querySelector(".label"), MUTES[mute].label ?? muteText);
    setAttributes(parts.mute.querySelector("use"), { href: MUTES[mute].icon });
    parts.mute.disabled = mute === "held";
    setAttributes(parts.mute, { "aria-pressed": mute !== "on", "data-mute": mute });
    setText(parts.leave.querySelector(".label"), link === "ringing" ? "Cancel" : "Leave");
  }

  /** Several times a second: rings around those who talk, and the own meter. */
  drawLevels(me) {
    if (!this.#client.call) return;
    const levels = this.#meters.levels();
    const own = this.#meters.ownLevel();
    levels.set(me, own);
    for (const [jid, row] of this.#people) {
      const said = this.#serverTalk.get(jid);
      const level = levels.get(jid) ?? amplitude(said?.dBov);
      const heard = this.#meters.isTalking(jid, level);
      const talking = !row.muted && (said?.talking ?? heard);
      // In a large call nearly all are quiet, and were before.
      if (!talking && !row.talking) continue;
      row.talking = talking;
      setAttributes(row.element, { "data-talking": talking });
      row.element.style.setProperty("--level", talking ? loudness(level).toFixed(2) : "0");
    }
    const percent = Math.round(loudness(own) * 100);
    this.#parts.meter.style.setProperty("--level", percent / 100);
    setAttributes(this.#parts.meter, { "aria-valuenow": percent });
  }

  async drawQuality() {
    if (this.#client.call?.link !== "connected") return setText(this.#parts.quality, "");
    const { quality, rttMs, loss, cipher } = await this.#meters.quality();
    setText(this.#parts.quality, QUALITY[quality]);
    const title = `${rttMs.toFixed(0)} ms round trip, ${(loss * 100).toFixed(1)} % lost, ${cipher}`;
    setAttributes(this.#parts.quality, { "data-quality": quality, title });
  }

  #clear() {
    arrange(this.#parts.people, this.#people, [], this.#make);
    for (const part of ["state", "quality", "recording"]) setText(this.#parts[part], "");
    this.forgetServer();
  }
}

/** Amplitude 0..1 to a visible 0..1. */
function loudness(level) {
  return level > 0 ? Math.min(1, Math.max(0, 1 + (20 * Math.log10(level)) / RANGE_DB)) : 0;
}

/** The server's level (0 loudest, 127 silence) as an amplitude. */
function amplitude(dBov) {
  return dBov === null || dBov === undefined ? 0 : 10 ** (-dBov / 20);
}
