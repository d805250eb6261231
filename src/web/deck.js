// Playing a recording: play and pause, the position, speed, the waveform, a lane a person.

import { h, icon, setAttributes, setText } from "./dom.js";
import { clock, spoken } from "./figures.js";
import { absences, drawWave, fullOf } from "./lanes.js";
import { makePersonLane } from "./personlane.js";
import { troubleText } from "./recordingwords.js";
import { makeStrip } from "./strip.js";
import { SPEEDS, Tape } from "./tape.js";

const STEP_S = 5;
const LEAP_S = 30;
const TYPES_IN = "input:not([type=range]), textarea, select";
/** What space and arrows mean something else to. */
const PRESSES = "button, a, summary, input, select, textarea, dialog";
/** The waveform as a slider does more than the page around it. */
const SLIDER_STEPS = { ArrowUp: STEP_S, ArrowDown: -STEP_S, PageUp: LEAP_S, PageDown: -LEAP_S,
  Home: -Infinity, End: Infinity };
const PAGE_STEPS = { ArrowLeft: -STEP_S, ArrowRight: STEP_S };

export class Deck {
  element;

  #tape; #parts; #lanes; #strips; #frame = 0; #looked = null; #keys;

  /** `recording` and `peaks` as call.json and peaks.json. The tape is the caller's to close. */
  constructor({ recording, peaks, tape }) {
    this.#tape = tape;
    const way = { jump: (share) => tape.seek(share * tape.duration),
      look: (share) => { this.#looked = share; } };
    const durationMs = recording.duration_ms;
    const wave = makeStrip({ class: "wave", role: "slider", tabindex: "0", "data-test": "wave",
      "aria-label": "Position", "aria-valuemin": 0, "aria-valuemax": Math.floor(tape.duration),
      "aria-valuenow": 0, "aria-keyshortcuts": "ArrowLeft ArrowRight",
      draw: (canvas) => drawWave(canvas, { peaks, durationMs, stops: recording.stops }), ...way });
    const full = fullOf(peaks.people.flat());
    this.#lanes = recording.people.map((person, place) => [person.jid, makePersonLane({ person,
      recording, peaks: { curve: peaks.people[place] ?? [], full, intervalMs: peaks.interval_ms },
      wish: (change) => tape.setVoice(person.jid, change), canPart: Tape.canPlayTracks, ...way })]);
    this.#strips = [wave, ...this.#lanes.map(([, lane]) => lane)];
    const controls = this.#makeControls();
    this.#parts = { ...controls, wave: wave.element };
    this.element = h("div", { class: "deck" },
      h("div", { class: "sounding" },
        h("div", { class: "transport" }, ...controls.row, controls.trouble), wave.element),
      h("ul", { class: "voices", "aria-label": "Who spoke when" },
        ...this.#lanes.map(([, lane]) => lane.element)), makeLegend(recording));
    this.#keys = (event) => this.#press(event);
    addEventListener("keydown", this.#keys);
    tape.addEventListener("change", () => this.#draw());
    this.#draw();
    this.#run();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    removeEventListener("keydown", this.#keys);
    for (const strip of this.#strips) strip.close();
  }

  #makeControls() {
    const tape = this.#tape;
    const label = h("span", { class: "label" });
    const play = h("button", { type: "button", class: "pill primary play", "data-test": "play",
      "aria-keyshortcuts": "Space", onclick: () => this.#toggle() }, icon("play"), label);
    const now = h("span", { "data-test": "position" });
    const time = h("span", { class: "time" }, now, ` / ${clock(tape.duration)}`);
    const speed = h("select", { class: "speed", "aria-label": "Speed", "data-test": "speed",
      onchange: () => { tape.speed = Number(speed.value); } },
    ...SPEEDS.map((each) => h("option", { value: each, selected: each === 1 }, `${each} ×`)));
    const trouble = h("p", { class: "quiet trouble", role: "status", "data-test": "trouble" });
    return { play, label, now, speed, trouble, row: [play, time, speed] };
  }

  #toggle() {
    if (this.#tape.isPlaying) this.#tape.pause();
    else this.#tape.play();
  }

  /** Once a frame, as long as the page is looked at. */
  #run() {
    this.#frame = requestAnimationFrame(() => this.#run());
    const { duration, position } = this.#tape;
    const at = this.#looked === null ? position : this.#looked * duration;
    this.element.style.setProperty("--at", duration ? at / duration : 0);
    const { now, wave } = this.#parts;
    setText(now, clock(at));
    setAttributes(wave, { "aria-valuenow": Math.floor(at),
      "aria-valuetext": `${spoken(at)} of ${spoken(duration)}` });
  }

  #draw() {
    const { play, label, trouble } = this.#parts;
    const { isPlaying } = this.#tape;
    setText(label, isPlaying ? "Pause" : "Play");
    setAttributes(play.querySelector("use"), { href: isPlaying ? "#i-pause" : "#i-play" });
    play.disabled = this.#tape.trouble === "mix";
    setText(trouble, troubleText(this.#tape));
    for (const [jid, lane] of this.#lanes) lane.draw(this.#tape.voiceOf(jid));
  }

  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (target.closest?.(TYPES_IN)) return;
    const isOnSlider = target.closest?.("[role=slider]");
    const step = PAGE_STEPS[key] ?? (isOnSlider ? SLIDER_STEPS[key] : undefined);
    if (key === " " && !target.closest?.(PRESSES)) this.#toggle();
    else if (step !== undefined && !target.closest?.("input")) this.#step(step);
    else return;
    event.preventDefault();
  }

  #step(seconds) {
    this.#tape.seek(this.#tape.position + seconds);
  }
}

/** Of what there is to be seen, and no more. */
function makeLegend({ people, gaps, stops, segments, duration_ms }) {
  const told = [
    ["spoke", "Spoke", segments.length > 0],
    ["muted", "Muted", people.some(({ muted }) => muted.length > 0)],
    ["away", "Not there", people.some(({ present }) => absences(present, duration_ms).length > 0)],
    ["lost", "Lost on the way", gaps.length > 0],
    ["stopped", "The server’s disk took nothing", stops.length > 0],
  ];
  const seen = told.filter(([, , isSeen]) => isSeen);
  return h("ul", { class: "legend", "aria-hidden": "true" }, ...seen.map(([kind, text]) =>
    h("li", {}, h("i", { class: `key ${kind}` }), text)));
}
