// What narrows the list of recordings: a text, a chat, a person, a tag, days, favourites.

import { h, icon, setAttributes } from "./dom.js";

/** Somebody who types is let finish the word. */
const TYPED_MS = 300;

/** `change(filters)` is told the wish. */
export class RecordingFilters {
  element; #parts; #change; #timer = null;

  constructor(change) {
    this.#change = change;
    const text = h("input", { type: "search", placeholder: "Find a name", maxlength: 256,
      "aria-label": "Find recordings by the name of a chat or a person", "data-test": "find" });
    const chat = h("select", { "aria-label": "Chat", "data-test": "filter-chat" });
    const person = h("select", { "aria-label": "Person", "data-test": "filter-person" });
    const tag = h("input", { placeholder: "Tag", "aria-label": "Tag", maxlength: 64,
      list: "known-tags", "data-test": "filter-tag" });
    const tags = h("datalist", { id: "known-tags" });
    const day = (name, label) => h("input", { type: "date", "aria-label": label,
      title: label, "data-test": `filter-${name}` });
    const [from, to] = [day("from", "From this day on"), day("to", "Until this day")];
    const days = h("span", { class: "days" }, from, h("span", { "aria-hidden": "true" }, "–"), to);
    const favourite = h("button", { type: "button", class: "small toggle", "aria-pressed": "false",
      "data-test": "filter-favourite", onclick: () => this.#turn() }, icon("star"), "Favourites");
    this.#parts = { text, chat, person, tag, tags, from, to, favourite };
    for (const field of [text, tag]) field.addEventListener("input", () => this.#tellSoon());
    for (const field of [chat, person, from, to]) {
      field.addEventListener("change", () => this.#tell());
    }
    this.element = h("form", { class: "filters", role: "search", onsubmit: (event) => {
      event.preventDefault();
      this.#tell();
    } }, text, chat, person, tag, days, favourite, tags);
  }

  /** `chats` are known ones; `tags` those of the recordings that are shown. */
  draw(filters, { chats, me, tags }) {
    const { text, chat, person, tag, from, to, favourite } = this.#parts;
    const people = [me, ...chats.filter(({ jid }) => jid.startsWith("d-") && jid !== me.jid)];
    fill(chat, "Every chat", chats.filter(({ jid }) => jid !== me.jid), filters.chat);
    fill(person, "Everybody", people, filters.person);
    for (const [field, value] of [[text, filters.text], [tag, filters.tag],
      [from, filters.from], [to, filters.to]]) {
      if (document.activeElement !== field) field.value = value ?? "";
    }
    setAttributes(favourite, { "aria-pressed": filters.favourite === "true" });
    this.#parts.tags.replaceChildren(...tags.map((value) => h("option", { value })));
  }

  #turn() {
    const { favourite } = this.#parts;
    setAttributes(favourite, { "aria-pressed": favourite.ariaPressed !== "true" });
    this.#tell();
  }

  #tellSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), TYPED_MS);
  }

  #tell() {
    clearTimeout(this.#timer);
    const { text, chat, person, tag, from, to, favourite } = this.#parts;
    this.#change({ text: text.value.trim(), chat: chat.value, person: person.value,
      tag: tag.value.trim(), from: from.value, to: to.value,
      favourite: favourite.ariaPressed === "true" ? "true" : "" });
  }
}

/** The chosen one stays, also where it is of an old address and nobody knows its name. */
function fill(select, all, chats, chosen = "") {
  const known = chats.map(({ jid, display_name }) => [jid, display_name])
    .sort(([, one], [, other]) => one.localeCompare(other));
  if (chosen && !known.some(([jid]) => jid === chosen)) known.push([chosen, "Somebody else"]);
  const wanted = JSON.stringify([...known, chosen]);
  if (select.dataset.known === wanted) return;
  select.dataset.known = wanted;
  select.replaceChildren(...[["", all], ...known].map(([value, name]) =>
    h("option", { value }, name)));
  select.value = chosen;
}
