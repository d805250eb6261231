// The list of places and people, each with who is online, who talks, and a button to call.

import { arrange, h, hueOf, icon, initials, setAttributes, setText } from "./dom.js";

/** From here on a list is long enough to want a search field. */
const SEARCH_FROM = 9;

export class ChatList {
  #places; #people; #search; #empty; #rows = { group: new Map(), direct: new Map() }; #onCall;

  constructor(root, onCall) {
    this.#places = root.querySelector("#places");
    this.#people = root.querySelector("#people-list");
    this.#search = root.querySelector("#search");
    this.#empty = root.querySelector("#no-people");
    this.#onCall = onCall;
  }

  /** `chats` null while they are on their way. `here` is the jid of the chat one is in. */
  draw({ chats, online, calls, here }) {
    const loading = chats === null;
    for (const list of [this.#places, this.#people]) setAttributes(list, { "aria-busy": loading });
    if (loading) return;
    const search = this.#search.querySelector("input");
    this.#search.hidden = chats.length < SEARCH_FROM;
    const wanted = this.#search.hidden ? "" : search.value.trim().toLowerCase();
    const shown = chats.filter((chat) => chat.display_name.toLowerCase().includes(wanted));
    const isPerson = (chat) => chat.jid.startsWith("d-");
    const rank = (chat) => (calls.has(chat.jid) ? 0 : online.has(chat.jid) ? 1 : 2);
    const byName = (a, b) => a.display_name.localeCompare(b.display_name);
    const people = shown.filter(isPerson).sort((a, b) => rank(a) - rank(b) || byName(a, b));
    const isLobby = (chat) => chat.display_name === "Lobby";
    const places = shown.filter((chat) => !isPerson(chat))
      .sort((a, b) => isLobby(b) - isLobby(a) || byName(a, b));
    this.#fill(this.#places, this.#rows.group, places, { online, calls, here });
    this.#fill(this.#people, this.#rows.direct, people, { online, calls, here });
    this.#empty.hidden = people.length > 0;
    setText(this.#empty, wanted ? "Nobody of that name." : "Nobody else has come in yet. "
      + "Open this page in a second browser, or send its address to somebody.");
  }

  focus(jid) {
    const row = this.#rows.group.get(jid) ?? this.#rows.direct.get(jid);
    row?.button.focus({ preventScroll: true });
  }

  #fill(list, rows, chats, facts) {
    arrange(list, rows, chats.map((chat) => chat.jid), (jid) => this.#row(jid));
    for (const chat of chats) drawRow(rows.get(chat.jid), chat, facts);
  }

  #row(jid) {
    const mark = h("span", { class: "mark", "aria-hidden": "true" });
    mark.style.setProperty("--hue", hueOf(jid));
    const name = h("span", { class: "name" });
    const about = h("span", { class: "quiet" });
    const label = h("span", { class: "label" });
    const button = h("button", { type: "button", class: "small dial", "data-test": "call-button",
      onclick: () => this.#onCall(jid) }, icon("call"), label);
    const element = h("li", { class: "row", "data-test": "chat", "data-jid": jid },
      mark, h("span", { class: "words" }, name, about), button);
    return { element, mark, name, about, label, button };
  }
}

function drawRow(row, chat, { online, calls, here }) {
  const call = calls.get(chat.jid);
  const count = call?.onliners?.length ?? call?.online_count ?? 0;
  const isPerson = chat.jid.startsWith("d-");
  const isHere = here === chat.jid;
  const rings = isPerson && Boolean(call?.buzz) && !isHere;
  const isOnline = online.has(chat.jid);
  setText(row.mark, initials(chat.display_name));
  setText(row.name, chat.display_name);
  const presence = isPerson ? (isOnline ? "Online" : "Away") : "Quiet now";
  const inCall = rings ? "Is calling you" : `${count} in a call`;
  setText(row.about, isHere ? "You are here" : call ? inCall : presence);
  const verb = isHere ? "Open" : rings ? "Accept" : call ? "Join" : "Call";
  setText(row.label, verb);
  setAttributes(row.button, { "aria-label": `${verb} ${chat.display_name}` });
  setAttributes(row.element, {
    "data-kind": isPerson ? "person" : "place",
    "data-live": Boolean(call), "data-here": isHere, "data-online": isOnline, "data-count": count,
  });
}
