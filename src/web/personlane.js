// One person of a recording: when he spoke, and how loud he is to be now.

import { h, hueOf, initials, setAttributes } from "./dom.js";
import { clock, spoken } from "./figures.js";
import { drawLane } from "./lanes.js";
import { makeStrip } from "./strip.js";

/**
 * `recording` as call.json; `peaks` {curve, full, intervalMs}; `wish(change)` takes {solo?,
 * volume?}; `canPart`: single voices can be heard here.
 */
export function makePersonLane({ person, recording, peaks, wish, canPart, jump, look }) {
  const { jid } = person;
  const name = person.display_name || "Somebody";
  const tracks = recording.tracks.filter((track) => track.jid === jid);
  const files = new Set(tracks.map(({ file }) => file));
  const segments = recording.segments.filter((segment) => segment.jid === jid);
  const gaps = recording.gaps.filter(({ file }) => files.has(file));
  const durationMs = recording.duration_ms;
  const strip = makeStrip({ role: "img", "data-test": "lane", "aria-label":
    `${name} spoke ${segments.length} times, ${spoken(person.talked_ms / 1000)} in all`,
  draw: (canvas) => drawLane(canvas, { person, ...peaks, segments, gaps, durationMs }),
  jump, look });
  const mark = h("span", { class: "mark", "aria-hidden": "true" }, initials(name));
  const about = h("span", { class: "words" }, h("span", { class: "name" }, name),
    h("span", { class: "quiet" }, aboutText(person, tracks)));
  const controls = tracks.length > 0 && canPart ? makeControls(name, wish) : null;
  const element = h("li", { class: "voice", "data-test": "voice", "data-jid": jid },
    h("div", { class: "who" }, mark, about, ...(controls?.elements ?? [])), strip.element);
  element.style.setProperty("--hue", hueOf(jid));
  return { element, close: strip.close, draw: (voice) => controls?.draw(voice) };
}

function makeControls(name, wish) {
  const solo = h("button", { type: "button", class: "small toggle", "data-test": "solo",
    "aria-label": `Solo: only ${name}`, onclick: (event) => {
      wish({ solo: solo.ariaPressed !== "true" });
      // Space is to play and pause again.
      if (event.detail > 0) solo.blur();
    } }, "Solo");
  const volume = h("input", { type: "range", min: 0, max: 100, step: 5, value: 100,
    "aria-label": `Volume of ${name}`, "data-test": "voice-volume",
    oninput: () => wish({ volume: volume.value / 100 }) });
  const draw = (voice) => {
    const percent = Math.round(voice.volume * 100);
    setAttributes(solo, { "aria-pressed": voice.solo });
    setAttributes(volume, { "aria-valuetext": `${percent} %`, title: `${percent} %` });
  };
  return { elements: [solo, volume], draw };
}

function aboutText(person, tracks) {
  if (person.no_record) return "Not recorded";
  if (tracks.length === 0) return "Had no microphone on";
  return person.talked_ms > 0 ? `Spoke ${clock(person.talked_ms / 1000)}` : "Did not speak";
}
