// The call on the stage: who is in it, how it stands, own level, the controls.

import { arrange, h, hueOf, icon, initials, setAttributes, setText } from "./dom.js";

const QUALITY = { good: "Good line", fair: "Fair line", poor: "Poor line" };
const LINKS = { connecting: "Connecting…", lost: "Connection lost", ringing: "Ringing…" };

export class CallView {
  #root; #parts; #people = new Map(); #meters; #client; #serverTalk = new Map();

  constructor(root, client, meters) {
    this.#root = root;
    this.#client = client;
    this.#meters = meters;
    const part = (id) => root.querySelector(`#${id}`);
    this.#parts = {
      empty: part("empty"), call: part("call"), name: part("call-name"), state: part("state"),
      timer: part("timer"), quality: part("quality"), people: part("people"), hint: part("hint"),
      controls: part("controls"), mute: part("mute"), leave: part("leave"), meter: part("meter"),
    };
  }

  /** The server's word on who talks goes before our own ears. */
  hearServer({ actor, talking }) {
    this.#serverTalk.set(actor, talking);
  }

  /** `people` [{jid, name, muted, link}], `chat` {jid, name} or null, `state` in words. */
  draw({ chat, people, state, link, mute, hint, elapsedS }) {
    const { empty, call, controls, ...parts } = this.#parts;
    empty.hidden = chat !== null;
    call.hidden = controls.hidden = chat === null;
    if (!chat) return this.#clear();
    setText(parts.name, chat.name);
    setText(parts.state, state);
    setAttributes(parts.state, { "data-link": link });
    setText(parts.timer, elapsedS === null ? "" : clock(elapsedS));
    arrange(parts.people, this.#people, people.map((person) => person.jid), makePerson);
    for (const person of people) drawPerson(this.#people.get(person.jid), person);
    parts.hint.hidden = !hint;
    setText(parts.hint, hint);
    const label = { on: "Mute", off: "Unmute", none: "Use mic" }[mute];
    setText(parts.mute.querySelector(".label"), label);
    setAttributes(parts.mute, { "aria-pressed": mute !== "on", "data-mute": mute });
    const use = parts.mute.querySelector("use");
    setAttributes(use, { href: mute === "on" ? "#i-mic" : "#i-mic-off" });
    setText(parts.leave.querySelector(".label"), link === "ringing" ? "Cancel" : "Leave");
  }

  /** Several times a second: rings around those who talk, and the own meter. */
  drawLevels(me) {
    if (!this.#client.call) return;
    const levels = this.#meters.levels();
    const own = this.#meters.ownLevel();
    levels.set(me, own);
    for (const [jid, { element, muted }] of this.#people) {
      const level = levels.get(jid) ?? 0;
      const heard = this.#meters.isTalking(jid, level);
      const talking = !muted && (this.#serverTalk.get(jid) ?? heard);
      setAttributes(element, { "data-talking": talking });
      element.style.setProperty("--level", talking ? loudness(level).toFixed(2) : "0");
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
    arrange(this.#parts.people, this.#people, [], makePerson);
    setText(this.#parts.state, "");
    setText(this.#parts.quality, "");
    this.#serverTalk.clear();
  }
}

function makePerson(jid) {
  const arch = h("span", { class: "arch", "aria-hidden": "true" });
  const letters = h("span", { class: "letters" });
  arch.style.setProperty("--hue", hueOf(jid));
  arch.append(letters, h("span", { class: "badge" }, icon("mic-off")));
  const name = h("span", { class: "name" });
  const about = h("span", { class: "quiet" });
  const element = h("li", { class: "person", "data-test": "person", "data-jid": jid,
    "data-talking": "false" }, arch, name, about);
  return { element, letters, name, about, muted: false };
}

function drawPerson(row, { name, isMe, muted, link }) {
  row.muted = muted;
  setText(row.letters, initials(name));
  setText(row.name, name);
  const standing = LINKS[link] ?? (muted ? "Muted" : "");
  setText(row.about, [isMe ? "You" : "", standing].filter(Boolean).join(" · "));
  setAttributes(row.element, { "data-muted": muted, "data-link": link });
}

/** Amplitude 0..1 to a visible 0..1: 50 dB of range. */
function loudness(level) {
  return level > 0 ? Math.min(1, Math.max(0, 1 + (20 * Math.log10(level)) / 50)) : 0;
}

function clock(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${two(minutes)}:${two(Math.floor(seconds) % 60)}`;
  return hours ? `${hours}:${tail}` : tail;
}
