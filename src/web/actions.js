// What one can do about the whole call: mute all, ring, record, and ask why somebody is not heard.

import { setAttributes } from "./dom.js";

/** People whose names fit well into one message. */
const NAMED_MAX = 100;

export class Actions {
  #parts;

  /**
   * `client()` is the present VoxhallClient; `absent()` the jids of people who are not in the
   * call; `diagnose()` opens the view that says why.
   */
  constructor(root, { client, absent, diagnose }) {
    const part = (id) => root.querySelector(`#${id}`);
    this.#parts = {
      muteAll: part("mute-all"), sticky: part("mute-all-sticky"), option: part("sticky-option"),
      lift: part("lift"), ring: part("ring"), ringCancel: part("ring-cancel"),
      record: part("record"), muting: part("muting"),
    };
    const on = (name, act) => this.#parts[name].addEventListener("click", act);
    on("muteAll", () => {
      client()?.muteAll({ sticky: this.#parts.sticky.checked });
      this.#parts.sticky.checked = false;
    });
    on("lift", () => client()?.liftMute());
    // By name, so that the ringing ends with the last answer; a crowd is rung as a whole.
    on("ring", () => {
      const people = absent();
      client()?.ring(people.length <= NAMED_MAX ? people : []);
    });
    on("ringCancel", () => client()?.stopRinging());
    on("record", () => client()?.record(this.#parts.record.ariaChecked !== "true"));
    part("diagnose").addEventListener("click", diagnose);
  }

  /** `others` is how many there are besides oneself. */
  draw({ isGroup, isLive, others, isSticky, isRecorded, canRecord, rings }) {
    const { muteAll, sticky, option, lift, ring, ringCancel, record, muting } = this.#parts;
    muting.hidden = !isGroup;
    muteAll.hidden = option.hidden = isSticky;
    lift.hidden = !isSticky;
    muteAll.disabled = sticky.disabled = !isLive || others === 0;
    swap(ring, ringCancel, isGroup, rings);
    ring.disabled = ringCancel.disabled = lift.disabled = record.disabled = !isLive;
    record.hidden = !canRecord;
    setAttributes(record, { "aria-checked": isRecorded });
  }
}

/** The one or the other, and the keyboard stays where it was. */
function swap(first, second, isThere, isSecond) {
  const held = [first, second].includes(document.activeElement);
  first.hidden = !isThere || isSecond;
  second.hidden = !isThere || !isSecond;
  if (held && isThere) (isSecond ? second : first).focus();
}
