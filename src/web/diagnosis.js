// "Why can't I hear?": asks the server about every leg while it is open, joins that with what this
// browser knows, and says it in plain words.

import { arrange, h, hueOf, initials, setAttributes, setText } from "./dom.js";
import { explain } from "./verdicts.js";
import { refusedText } from "./wording.js";

const POLL_MS = 2000;

export class Diagnosis {
  #root; #rows = new Map(); #list; #trouble; #ask; #hearing; #client; #nameOf; #timer = null;

  /** `ask()` fetches the server's {legs}; `hearing` is this browser's half of the story. */
  constructor(root, { ask, hearing, client, nameOf }) {
    this.#root = root;
    this.#list = root.querySelector("#diagnosis-rows");
    this.#trouble = root.querySelector("#diagnosis-trouble");
    this.#ask = ask;
    this.#hearing = hearing;
    this.#client = client;
    this.#nameOf = nameOf;
    root.addEventListener("close", () => this.#onClose());
    root.addEventListener("click", ({ target }) => target === root && this.close());
    root.querySelector("#diagnosis-close").addEventListener("click", () => this.close());
  }

  open() {
    if (this.#root.open) return;
    this.#root.showModal();
    this.#hearing.forget();
    this.#poll();
  }

  close() {
    this.#root.close();
  }

  async #poll() {
    try {
      const client = this.#client();
      const asked = [this.#ask(), this.#hearing.look(client), this.#hearing.own(client)];
      const [{ legs }, lines, own] = await Promise.all(asked);
      if (!this.#root.open) return;
      this.#draw(legs, lines, own);
      this.#trouble.hidden = true;
    } catch (error) {
      this.#trouble.hidden = false;
      setText(this.#trouble, `${refusedText(error)} Trying again…`);
    }
    if (this.#root.open) this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  #draw(legs, lines, own) {
    const slots = legs.find((leg) => leg.own)?.slots ?? [];
    const slotOf = new Map(slots.filter(({ jid }) => jid).map((slot) => [slot.jid, slot]));
    // A person may have several devices in the call; oneself comes last.
    const keyed = legs.map((leg, i) => [`${leg.jid} ${i}`, leg]);
    keyed.sort(([, a], [, b]) => Number(a.own) - Number(b.own));
    arrange(this.#list, this.#rows, keyed.map(([key]) => key), makeRow);
    for (const [key, leg] of keyed) {
      const name = leg.display_name || this.#nameOf(leg.jid);
      const story = explain({ ...leg, slotForMe: slotOf.get(leg.jid) }, {
        name, line: lines.get(leg.jid), wishes: this.#hearing.wishes(leg.jid), own,
        places: slots.length, nameOf: this.#nameOf,
      });
      drawRow(this.#rows.get(key), leg.jid, leg.own ? `${name} (you)` : name, story);
    }
  }

  #onClose() {
    clearTimeout(this.#timer);
    arrange(this.#list, this.#rows, [], makeRow);
    this.#trouble.hidden = true;
  }
}

function makeRow() {
  const mark = h("span", { class: "mark", "aria-hidden": "true" });
  const name = h("h3", {});
  const text = h("p", { class: "verdict" });
  const hops = h("dl", { class: "hops" });
  const head = h("div", { class: "case-head" }, mark, h("div", {}, name, text));
  return { element: h("li", { class: "case" }, head, hops), mark, name, text, hops };
}

function drawRow(row, jid, name, { verdict, here, text, tone, hops }) {
  row.mark.style.setProperty("--hue", hueOf(jid));
  setText(row.mark, initials(name));
  setText(row.name, name);
  setText(row.text, text);
  setAttributes(row.element, { "data-jid": jid, "data-verdict": verdict, "data-here": here,
    "data-tone": tone });
  while (row.hops.children.length > hops.length) row.hops.lastChild.remove();
  hops.forEach((hop, i) => {
    if (!row.hops.children[i]) row.hops.append(h("div", {}, h("dt", {}), h("dd", {})));
    const place = row.hops.children[i];
    setAttributes(place, { "data-tone": hop.tone });
    setText(place.firstChild, hop.title);
    setText(place.lastChild, hop.facts.filter(Boolean).join("\u00a0· "));
  });
}
