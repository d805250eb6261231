// Facts of a recording into plain words.

import { clock, moment, size } from "./figures.js";

/** How it stands where it cannot be played yet; "" where it can. */
export function stateText({ state, progress }) {
  if (state === "recording") return "Being recorded now";
  if (state === "finishing") return `Being finished, ${progress} %`;
  if (state === "failed") return "Could not be finished. The server’s log says why.";
  return "";
}

/** "24 Nov, 18:15 · 04:12 · 6.3 MB". */
export function factsText({ began, duration_ms, bytes, state }) {
  const facts = [moment(began)];
  if (state === "ready") facts.push(clock(Math.round(duration_ms / 1000)));
  return [...facts, size(bytes)].join(" · ");
}

export function isUnderWay({ state }) {
  return state === "recording" || state === "finishing";
}

/** What is amiss with the sound. */
export function troubleText({ trouble, isLoading }) {
  if (trouble === "mix") return "This browser cannot play the recording. Download it to hear it.";
  if (trouble === "tracks") return "Not every voice could be fetched on its own.";
  if (trouble === "crowd") return "Too many voices at once: sixteen are heard, first who speaks.";
  return isLoading ? "Fetching the single voices…" : "";
}

/** What a file of a recording is for. */
export function fileText(name, tracks) {
  const track = tracks.find(({ file }) => file === name);
  if (track) return `${track.display_name} alone`;
  if (/^mix.*\.wav$/.test(name)) return "Everybody, uncompressed";
  return FILES[name] ?? "";
}

const FILES = {
  "mix.opus": "Everybody, small",
  "call.json": "All that is known of the call",
  "peaks.json": "How loud it was when",
  "speakers.vtt": "Who spoke when, for captions",
  "speakers.rttm": "Who spoke when, for transcribers",
  "timeline.jsonl": "What happened, as it happened",
};
