// One recording: what it is, its sound, its tags and files. Until it is ready, how far it is.

import { h, icon, setAttributes, setText } from "./dom.js";
import { Deck } from "./deck.js";
import { makeFiles } from "./recordingfiles.js";
import { setStar } from "./recordingrow.js";
import { factsText, isUnderWay, stateText } from "./recordingwords.js";
import { TagEditor } from "./tag.js";
import { Tape } from "./tape.js";
import { refusedText } from "./wording.js";

const LOOK_EVERY_MS = 2000;

export class RecordingView {
  element; id; title;

  #archive; #say; #onGone; #parts; #tags; #recording = null;
  #deck = null; #tape = null; #timer = null; #isClosed = false; #aborter = new AbortController();

  /** `onGone()` follows a deletion; `say(text)` is a toast; `back` leads to the list. */
  constructor(id, { archive, say, onGone, back }) {
    this.id = id;
    this.#archive = archive;
    this.#say = say;
    this.#onGone = onGone;
    this.title = h("h1", { tabindex: "-1", "data-test": "recording-name" });
    const facts = h("span", { class: "quiet" });
    const star = h("button", { type: "button", class: "round star", "data-test": "favourite",
      onclick: () => this.#mark({ favourite: !this.#recording.favourite }) }, icon("star"));
    const bin = h("button", { type: "button", class: "round", "aria-label": "Delete",
      "data-test": "delete", onclick: () => this.#askDelete() }, icon("bin"));
    const asked = h("div", { class: "asked", hidden: true });
    const state = h("p", { class: "state", role: "status", "data-test": "recording-state" });
    const bar = h("progress", { max: 100, "aria-label": "Finishing" });
    const body = h("div", { class: "ready" });
    this.#tags = new TagEditor((tags) => this.#mark({ tags }));
    const parts = { facts, star, bin, asked, state, bar, body };
    this.#parts = parts;
    for (const name of ["star", "bin", "state", "bar"]) parts[name].hidden = true;
    this.#tags.element.hidden = true;
    this.element = h("section", { class: "shelf-view", "data-test": "recording" },
      h("header", { class: "top" }, back, h("span", { class: "words" }, this.title, facts), star,
        bin),
      h("div", { class: "scroll" }, asked, state, bar, this.#tags.element, body));
    this.#look();
  }

  get name() {
    return this.#recording?.chat.display_name ?? "";
  }

  /** For whoever listens from outside, as the browser's tests do. */
  get tape() {
    return this.#tape;
  }

  close() {
    this.#isClosed = true;
    this.#aborter.abort();
    clearTimeout(this.#timer);
    this.#deck?.close();
    this.#tape?.close();
  }

  /** Asks, and asks again until it is ready. */
  async #look() {
    try {
      const recording = await this.#archive.recording(this.id);
      const isReady = recording.state === "ready";
      const peaks = isReady ? await this.#archive.peaks(this.id) : null;
      if (this.#isClosed) return;
      this.#recording = recording;
      this.#draw();
      if (isReady) this.#play(peaks);
      else if (isUnderWay(recording)) this.#lookAgain();
    } catch (error) {
      if (this.#isClosed) return;
      if (this.#recording) this.#lookAgain();
      this.#tell(error.status === 404 ? "There is no such recording." : refusedText(error));
    }
  }

  #lookAgain() {
    this.#timer = setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  #draw() {
    const recording = this.#recording;
    const { facts, star, bin, bar } = this.#parts;
    setText(this.title, recording.chat.display_name || "Somebody");
    setText(facts, factsText(recording));
    setStar(star, recording.favourite);
    star.hidden = this.#tags.element.hidden = false;
    bin.hidden = isUnderWay(recording);
    bar.hidden = recording.state !== "finishing";
    bar.value = recording.progress;
    this.#tell(stateText(recording));
    this.#tags.draw(recording.tags);
    setAttributes(this.element, { "data-state": recording.state });
  }

  #tell(text) {
    setText(this.#parts.state, text);
    this.#parts.state.hidden = text === "";
  }

  #play(peaks) {
    const recording = this.#recording;
    const known = recording.files.map(({ name }) => name);
    const mixes = ["mix.opus", "mix.wav"].filter((name) => known.includes(name));
    this.#tape = new Tape({ ...recording,
      sources: mixes.map((name) => this.#archive.fileAddress(this.id, name)),
      load: (file) => this.#fetch(file) });
    this.#deck = new Deck({ recording, peaks, tape: this.#tape });
    const address = (name) => this.#archive.fileAddress(this.id, name, { download: true });
    this.#parts.body.replaceChildren(this.#deck.element, h("h2", {}, "Files"),
      makeFiles(recording, address));
  }

  async #fetch(file) {
    return (await this.#archive.file(this.id, file, { signal: this.#aborter.signal })).blob();
  }

  async #mark(change) {
    try {
      const { tags, favourite } = await this.#archive.mark(this.id, change);
      Object.assign(this.#recording, { tags, favourite });
      this.#draw();
    } catch (error) {
      this.#say(refusedText(error));
    }
  }

  #askDelete() {
    const { asked, bin } = this.#parts;
    const keep = () => {
      asked.hidden = true;
      bin.focus();
    };
    const no = h("button", { type: "button", class: "small", "data-test": "delete-cancel",
      onclick: keep }, "Keep");
    const yes = h("button", { type: "button", class: "small danger", "data-test": "delete-confirm",
      onclick: () => this.#delete() }, "Delete");
    asked.replaceChildren(h("p", { role: "alert" },
      "Delete this recording for everybody? It cannot be undone."), no, yes);
    asked.hidden = false;
    no.focus();
  }

  async #delete() {
    try {
      await this.#archive.delete(this.id);
      this.#onGone();
    } catch (error) {
      this.#parts.asked.hidden = true;
      this.#say(refusedText(error));
    }
  }
}
