// Which view of recordings is on, by the page's address, so that back, forward and a reload work.

import { listAddress, readAddress } from "./address.js";
import { Archive } from "./archive.js";
import { h, icon } from "./dom.js";
import { RecordingView } from "./recording.js";
import { RecordingList } from "./recordings.js";

export class Shelf {
  #root; #session; #known; #say; #onTurn; #archive; #list = null; #view = null; #recorded = "";

  /**
   * `session()` is who looks, `known()` {chats, me}; `onTurn()` is told that another view is on.
   */
  constructor(root, { session, known, say, onTurn }) {
    this.#root = root;
    this.#session = session;
    this.#known = known;
    this.#say = say;
    this.#onTurn = onTurn;
    this.#archive = new Archive(session);
    addEventListener("hashchange", () => this.turn());
  }

  get isOpen() {
    return document.body.hasAttribute("data-recordings");
  }

  /** For the window's title; "" while it is not open. */
  get title() {
    return this.isOpen ? this.#view?.name || "Recordings" : "";
  }

  /** The sound of the recording that is open, or null. */
  get tape() {
    return this.#view?.tape ?? null;
  }

  /** Shows what the address asks for. */
  turn() {
    if (!this.#session()) return;
    const address = readAddress(location.hash);
    const before = this.#view?.id;
    this.#closeView();
    document.body.toggleAttribute("data-recordings", address !== null);
    if (!address) this.#list?.close();
    else if (address.id) this.#openOne(address.id);
    else this.#openList(address.filters, before);
    this.#onTurn();
  }

  /** Back to calls. The address is given up too. */
  leave() {
    if (!this.isOpen) return;
    history.pushState(null, "", location.pathname + location.search);
    this.turn();
  }

  /** Somebody else comes in: what this one saw is forgotten. */
  forget() {
    this.#closeView();
    this.#list?.close();
    this.#list = null;
    this.#root.replaceChildren();
    document.body.removeAttribute("data-recordings");
  }

  /** `calls` Map jid -> state: where one begins or ends to be recorded the list has news. */
  follow(calls) {
    const recorded = [...calls].filter(([, call]) => call.audiorecord).map(([jid]) => jid).join();
    if (recorded !== this.#recorded) this.#list?.look();
    this.#recorded = recorded;
  }

  #openList(filters, before) {
    this.#list ??= new RecordingList({ archive: this.#archive, known: this.#known, say: this.#say,
      back: makeBack("Back to calls", () => this.leave()) });
    this.#root.replaceChildren(this.#list.element);
    this.#list.open(filters);
    this.#list.focus(before);
  }

  #openOne(id) {
    this.#list?.close();
    const listed = () => this.#list?.address ?? listAddress();
    const toList = () => { location.hash = listed(); };
    const onGone = () => {
      this.#say("The recording is deleted.");
      // What is gone is nothing to go back to.
      history.replaceState(null, "", listed());
      this.turn();
    };
    this.#view = new RecordingView(id, { archive: this.#archive, say: this.#say, onGone,
      back: makeBack("Back to the list", toList) });
    this.#root.replaceChildren(this.#view.element);
    this.#view.title.focus();
  }

  #closeView() {
    this.#view?.close();
    this.#view = null;
  }
}

function makeBack(label, act) {
  return h("button", { type: "button", class: "round", "aria-label": label, "data-test": "back",
    onclick: act }, icon("back"));
}
