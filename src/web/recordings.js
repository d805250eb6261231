// The list of recordings: filters, rows, a page at a time. While one of them is being recorded or
// finished it looks again every other second, and only then.

import { listAddress } from "./address.js";
import { arrange, h, setAttributes, setText } from "./dom.js";
import { RecordingFilters } from "./recordingfilters.js";
import { drawRecordingRow, makeRecordingRow } from "./recordingrow.js";
import { isUnderWay } from "./recordingwords.js";
import { refusedText } from "./wording.js";

const LOOK_EVERY_MS = 2000;
/** The server gives no more at once; what is older than these is ready for long. */
const LOOK_MAX = 100;

/** `archive` asks the server; `known()` {chats, me}; `say(text)` is a toast. */
export class RecordingList {
  element; title;

  #archive; #known; #say; #filters = {}; #form; #parts; #rows = new Map();
  #recordings = null; #next = null; #timer = null; #asked = 0; #isOpen = false;

  constructor({ archive, known, say, back }) {
    this.#archive = archive;
    this.#known = known;
    this.#say = say;
    this.#form = new RecordingFilters((filters) => this.#narrow(filters));
    this.title = h("h1", { tabindex: "-1" }, "Recordings");
    const rows = h("ul", { class: "rows", "aria-label": "Recordings", "aria-busy": "true" });
    const empty = h("p", { class: "quiet none", "data-test": "no-recordings", hidden: true });
    const more = h("button", { type: "button", class: "small more-rows", hidden: true,
      "data-test": "more", onclick: () => this.#more() }, "Show older ones");
    const clear = h("button", { type: "button", class: "small more-rows", hidden: true,
      "data-test": "clear-filters", onclick: () => this.#narrow({}) }, "Show all recordings");
    this.#parts = { rows, empty, more, clear };
    this.element = h("section", { class: "shelf-view", "data-test": "recordings" },
      h("header", { class: "top" }, back, h("span", { class: "words" }, this.title)),
      h("div", { class: "scroll" }, this.#form.element, rows, empty, clear, more));
  }

  /** By its address; the list that is shown already is not thrown away. */
  open(filters) {
    const isOther = JSON.stringify(filters) !== JSON.stringify(this.#filters);
    this.#isOpen = true;
    this.#filters = filters;
    if (isOther) this.#recordings = null;
    this.#draw();
    this.look();
  }

  close() {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  get address() {
    return listAddress(this.#filters);
  }

  /** The keyboard goes on where it was. */
  focus(id) {
    (this.#rows.get(id)?.link ?? this.title).focus();
  }

  /** Asks for all that is shown, and draws what has changed. */
  async look() {
    if (!this.#isOpen) return;
    clearTimeout(this.#timer);
    const limit = Math.min(LOOK_MAX, Math.max(50, this.#recordings?.length ?? 0));
    const page = await this.#page({ limit });
    if (!page) return;
    const old = this.#recordings ?? [];
    const last = page.recordings.at(-1)?.id;
    const older = page.next ? old.slice(old.findIndex(({ id }) => id === last) + 1) : [];
    const isKept = old.some(({ id }) => id === last) && older.length > 0;
    this.#recordings = isKept ? [...page.recordings, ...older] : page.recordings;
    if (!isKept) this.#next = page.next ?? null;
    this.#draw();
  }

  async #more() {
    const page = await this.#page({ before: this.#next });
    if (!page) return;
    const first = page.recordings[0]?.id;
    this.#recordings = [...this.#recordings, ...page.recordings];
    this.#next = page.next ?? null;
    this.#draw();
    if (first) this.focus(first);
  }

  /** What the server says; null where it says no, or something else is wanted by now. */
  async #page(which) {
    const asked = ++this.#asked;
    try {
      const page = await this.#archive.list(this.#filters, which);
      return asked === this.#asked && this.#isOpen ? page : null;
    } catch (error) {
      if (asked === this.#asked) this.#fail(error);
      return null;
    }
  }

  #fail(error) {
    // It may come back: the rows stay, and somebody waits for one of them.
    if (this.#recordings !== null) return this.#lookAgain();
    const { rows, empty } = this.#parts;
    setAttributes(rows, { "aria-busy": false });
    empty.hidden = false;
    setText(empty, refusedText(error));
  }

  /** Typing fills the address, not the browser's history. */
  #narrow(filters) {
    const wanted = Object.entries(filters).filter(([, value]) => value);
    const address = listAddress(Object.fromEntries(wanted));
    history.replaceState(null, "", address);
    this.open(Object.fromEntries(wanted));
  }

  async #star(id) {
    const { favourite } = this.#recordings.find((each) => each.id === id);
    try {
      const marked = await this.#archive.mark(id, { favourite: !favourite });
      this.#recordings = this.#recordings.map((each) => (each.id === id ? marked : each));
      this.#draw();
    } catch (error) {
      this.#say(refusedText(error));
    }
  }

  #draw() {
    const { rows, empty, more, clear } = this.#parts;
    const all = this.#recordings ?? [];
    const isNarrow = Object.keys(this.#filters).length > 0;
    const tags = [...new Set(all.flatMap((recording) => recording.tags))].sort();
    this.#form.draw(this.#filters, { ...this.#known(), tags });
    setAttributes(rows, { "aria-busy": this.#recordings === null });
    arrange(rows, this.#rows, all.map(({ id }) => id),
      (id) => makeRecordingRow(id, (starred) => this.#star(starred)));
    for (const recording of all) drawRecordingRow(this.#rows.get(recording.id), recording);
    empty.hidden = this.#recordings === null || all.length > 0;
    setText(empty, isNarrow ? "No recording is like that." : "Nothing is recorded yet. Join a call "
      + "and press Record: everybody in it is told, and it is here a moment after it ends.");
    clear.hidden = empty.hidden || !isNarrow;
    more.hidden = this.#next === null || all.length === 0;
    this.#lookAgain();
  }

  #lookAgain() {
    clearTimeout(this.#timer);
    const isAwaited = this.#isOpen && (this.#recordings ?? []).some(isUnderWay);
    if (isAwaited) this.#timer = setTimeout(() => this.look(), LOOK_EVERY_MS);
  }
}
