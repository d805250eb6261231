// Tags of a recording: words that somebody gave it.

import { h, icon } from "./dom.js";

/** As the server takes them. */
const CHARS_MAX = 64;
const TAGS_MAX = 32;

/** For looking at. */
export function makeTags(tags) {
  return tags.map((tag) => h("li", { class: "tag", "data-test": "tag" }, tag));
}

/** Tags with a cross each, and a field for one more; `change(tags)` keeps them. */
export class TagEditor {
  element; #list; #field; #change; #tags = [];

  constructor(change) {
    this.#change = change;
    this.#list = h("ul", { class: "tags" });
    this.#field = h("input", { class: "tag-field", maxlength: CHARS_MAX, placeholder: "Add a tag",
      "aria-label": "Add a tag", enterkeyhint: "done", "data-test": "tag-input" });
    const form = h("form", { onsubmit: (event) => this.#add(event) }, this.#field);
    this.element = h("div", { class: "tag-editor" }, this.#list, form);
  }

  draw(tags) {
    this.#tags = tags;
    this.#field.disabled = tags.length >= TAGS_MAX;
    const take = (tag) => () => {
      this.#change(this.#tags.filter((each) => each !== tag));
      this.#field.focus();
    };
    this.#list.replaceChildren(...tags.map((tag) => h("li", { class: "tag", "data-test": "tag" },
      tag, h("button", { type: "button", class: "cross", "aria-label": `Take the tag ${tag} away`,
        "data-test": "tag-remove", onclick: take(tag) }, icon("close")))));
  }

  #add(event) {
    event.preventDefault();
    const tag = this.#field.value.trim();
    this.#field.value = "";
    if (tag && !this.#tags.includes(tag)) this.#change([...this.#tags, tag]);
  }
}
