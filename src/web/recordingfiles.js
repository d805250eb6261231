// The files of a recording, each to be downloaded.

import { h, icon } from "./dom.js";
import { size } from "./figures.js";
import { fileText } from "./recordingwords.js";

/** `address(name)` is where a file is downloaded from. */
export function makeFiles({ files, tracks, people }, address) {
  const nameOf = (jid) => people.find((person) => person.jid === jid)?.display_name || "Somebody";
  const named = tracks.map(({ file, jid }) => ({ file, display_name: nameOf(jid) }));
  const all = [...files, { name: "call.json", bytes: null }];
  const row = ({ name, bytes }) => {
    const words = h("span", { class: "words" }, h("span", { class: "name" }, name),
      h("span", { class: "quiet" }, fileText(name, named)));
    return h("li", {}, h("a", { class: "file", href: address(name), download: "",
      "data-test": "download", "data-name": name }, icon("down"), words,
    h("span", { class: "quiet" }, bytes === null ? "" : size(bytes))));
  };
  return h("ul", { class: "files", "aria-label": "Files" }, ...all.map(row));
}
