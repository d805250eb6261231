// What the page has to say: banners that stay until their cause is gone, and toasts that pass.

import { h } from "./dom.js";

const TOAST_MS = 6000;

export class Notices {
  #banners; #toasts; #shown = new Map();

  constructor(banners, toasts) {
    this.#banners = banners;
    this.#toasts = toasts;
  }

  /** `key` names the cause; a second notice of the same cause replaces the first. */
  show(key, text, { kind = "info", actions = [] } = {}) {
    const said = this.#shown.get(key);
    if (said?.text === text) return;
    const buttons = actions.map(({ label, act, test }) =>
      h("button", { type: "button", class: "small", "data-test": test, onclick: act }, label));
    const words = h("p", {}, text);
    const element = h("div", { class: "notice", "data-kind": kind }, words, ...buttons);
    if (said) said.element.replaceWith(element);
    else this.#banners.append(element);
    this.#shown.set(key, { text, element });
    this.#banners.hidden = false;
  }

  hide(key) {
    this.#shown.get(key)?.element.remove();
    this.#shown.delete(key);
    this.#banners.hidden = this.#shown.size === 0;
  }

  toast(text) {
    const element = h("p", { class: "toast" }, text);
    this.#toasts.append(element);
    if (this.#toasts.children.length > 3) this.#toasts.firstChild.remove();
    setTimeout(() => element.remove(), TOAST_MS);
  }
}
