// One person of the call on the stage: an arch that lights up, how he stands, his menu.

import { h, hueOf, icon, initials, setAttributes, setText } from "./dom.js";
import { PersonMenu } from "./personmenu.js";

const LINKS = { connecting: "Connecting…", lost: "Connection lost", ringing: "Ringing…" };

/** `voices` keeps how loud he is for me; `onKick(jid)` puts him out of the call. */
export function makePerson(jid, { voices, onKick }) {
  const letters = h("span", { class: "letters", "aria-hidden": "true" });
  const opener = h("button", { type: "button", class: "arch", "data-test": "person-menu-open" },
    letters, h("span", { class: "badge" }, icon("mic-off")),
    h("span", { class: "hush" }, icon("hush")), h("span", { class: "more" }, icon("more")));
  opener.style.setProperty("--hue", hueOf(jid));
  const menu = new PersonMenu(jid, { opener, voices, onKick });
  const name = h("span", { class: "name" });
  const about = h("span", { class: "quiet" });
  const element = h("li", { class: "person", "data-test": "person", "data-jid": jid,
    "data-talking": "false" }, opener, name, about, menu.element);
  return { element, opener, menu, letters, name, about, muted: false, talking: false };
}

export function drawPerson(row, person, voices) {
  const { jid, name, isMe, muted, mutedBy, link, canKick } = person;
  row.muted = muted;
  const hushed = voices.isMuted(jid);
  setText(row.letters, initials(name));
  setText(row.name, name);
  setText(row.about, [isMe ? "You" : "", standing({ muted, mutedBy, link, hushed })]
    .filter(Boolean).join(" · "));
  row.opener.disabled = isMe || link === "ringing";
  setAttributes(row.opener, { "aria-label": isMe ? name : `${name}: volume and more` });
  setAttributes(row.element, { "data-muted": muted, "data-link": link, "data-hushed": hushed });
  row.menu.draw({ name, canKick });
}

function standing({ muted, mutedBy, link, hushed }) {
  if (LINKS[link]) return LINKS[link];
  if (muted) return mutedBy ? `Muted by ${mutedBy}` : "Muted";
  return hushed ? "Muted for you" : "";
}
