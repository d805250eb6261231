// One recording in the list.

import { recordingAddress } from "./address.js";
import { h, hueOf, icon, initials, setAttributes, setText } from "./dom.js";
import { names } from "./figures.js";
import { factsText, isUnderWay, stateText } from "./recordingwords.js";
import { makeTags } from "./tag.js";

/** `onStar(id)` turns the favourite over. */
export function makeRecordingRow(id, onStar) {
  const mark = h("span", { class: "mark", "aria-hidden": "true" });
  const name = h("span", { class: "name" });
  const facts = h("span", { class: "quiet" });
  const people = h("span", { class: "quiet who" });
  const state = h("span", { class: "state", "data-test": "recording-state" });
  const bar = h("progress", { max: 100, "aria-label": "Finishing" });
  const tags = h("ul", { class: "tags", "aria-label": "Tags" });
  const link = h("a", { class: "words", href: recordingAddress(id),
    "data-test": "recording-open" }, name, facts, people, state, bar);
  const star = h("button", { type: "button", class: "round star", "data-test": "favourite",
    onclick: () => onStar(id) }, icon("star"));
  const element = h("li", { class: "row taped", "data-test": "recording-row", "data-id": id },
    mark, link, tags, star);
  return { element, mark, name, facts, people, state, bar, tags, link, star };
}

export function drawRecordingRow(row, recording) {
  const { chat, people, tags, favourite, state, progress } = recording;
  const name = chat.display_name || "Somebody";
  row.mark.style.setProperty("--hue", hueOf(chat.jid));
  setText(row.mark, initials(name));
  setText(row.name, name);
  setText(row.facts, factsText(recording));
  setText(row.people, names(people));
  setText(row.state, stateText(recording));
  row.people.hidden = people.length === 0;
  row.state.hidden = state === "ready";
  row.bar.hidden = state !== "finishing";
  row.bar.value = progress;
  if (row.tags.textContent !== tags.join("")) row.tags.replaceChildren(...makeTags(tags));
  row.tags.hidden = tags.length === 0;
  setStar(row.star, favourite);
  setAttributes(row.element, { "data-state": state, "data-under-way": isUnderWay(recording),
    "data-kind": chat.type === "direct" ? "person" : "place" });
}

export function setStar(star, favourite) {
  setAttributes(star, { "aria-pressed": favourite, "aria-label": "Favourite" });
}
