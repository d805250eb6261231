// What one can do about a person in the call: his volume and a mute, both for oneself only and
// kept in this browser; and putting him out of the call, which is asked twice.

import { h, icon, setAttributes, setText } from "./dom.js";
import { VOLUME_MAX } from "./voices.js";

const GAP_PX = 8;

export class PersonMenu {
  element;

  #jid; #opener; #voices; #onKick; #name = ""; #canKick = true; #parts = null;

  constructor(jid, { opener, voices, onKick }) {
    this.#jid = jid;
    this.#opener = opener;
    this.#voices = voices;
    this.#onKick = onKick;
    this.element = h("div", { popover: "auto", role: "dialog", class: "menu",
      "data-test": "person-menu" });
    opener.popoverTargetElement = this.element;
    setAttributes(opener, { "aria-haspopup": "dialog" });
    this.element.addEventListener("beforetoggle", ({ newState }) => {
      if (newState === "open") this.#fill();
    });
    this.element.addEventListener("toggle", ({ newState }) => {
      if (newState === "open") this.#place();
      else this.#empty();
    });
  }

  draw({ name, canKick }) {
    this.#name = name;
    this.#canKick = canKick;
    if (!this.#parts) return;
    setText(this.#parts.title, name);
    const percent = Math.round(this.#voices.volumeOf(this.#jid) * 100);
    setText(this.#parts.percent, `${percent} %`);
    setAttributes(this.#parts.slider, { "aria-valuetext": `${percent} %` });
    const muted = this.#voices.isMuted(this.#jid);
    setAttributes(this.#parts.mute, { "aria-pressed": muted });
    this.#parts.kick.hidden = !canKick;
  }

  #fill() {
    const jid = this.#jid;
    const title = h("p", { class: "menu-name", id: `menu-${jid}` });
    const percent = h("output", {});
    const slider = h("input", { type: "range", min: 0, max: VOLUME_MAX * 100, step: 5,
      "data-test": "volume", autofocus: true });
    slider.value = this.#voices.volumeOf(jid) * 100;
    slider.addEventListener("input", () => this.#voices.setVolume(jid, slider.value / 100));
    const mute = h("button", { type: "button", class: "item", "data-test": "local-mute",
      onclick: () => this.#voices.setMuted(jid, !this.#voices.isMuted(jid)) },
    icon("hush"), "Mute for me");
    const kick = h("div", { class: "kick" });
    this.#offerKick(kick);
    this.element.replaceChildren(title,
      h("label", { class: "field" }, h("span", {}, "Volume for me ", percent), slider), mute, kick);
    setAttributes(this.element, { "aria-labelledby": title.id });
    this.#parts = { title, percent, slider, mute, kick };
    this.draw({ name: this.#name, canKick: this.#canKick });
  }

  #offerKick(place) {
    const ask = h("button", { type: "button", class: "item grave", "data-test": "kick",
      onclick: () => this.#askKick(place) }, icon("leave"), "Put out of the call");
    place.replaceChildren(ask);
    return ask;
  }

  #askKick(place) {
    const yes = h("button", { type: "button", class: "small danger", "data-test": "kick-confirm",
      onclick: () => {
        this.element.hidePopover();
        this.#onKick(this.#jid);
      } }, "Put out");
    const no = h("button", { type: "button", class: "small", "data-test": "kick-cancel",
      onclick: () => this.#offerKick(place).focus() }, "Keep");
    place.replaceChildren(h("p", { role: "alert" }, `Put ${this.#name} out of the call?`),
      h("div", { class: "pair" }, no, yes));
    no.focus();
  }

  /** Below the arch, or above where there is no room. A phone's stylesheet knows better. */
  #place() {
    const arch = this.#opener.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const below = arch.bottom + GAP_PX;
    const top = below + height < innerHeight ? below : Math.max(GAP_PX, arch.top - height - GAP_PX);
    const middle = arch.left + (arch.width - width) / 2;
    const left = Math.min(Math.max(GAP_PX, middle), innerWidth - width - GAP_PX);
    this.element.style.setProperty("--top", `${top}px`);
    this.element.style.setProperty("--left", `${left}px`);
  }

  #empty() {
    this.element.replaceChildren();
    this.#parts = null;
  }
}
