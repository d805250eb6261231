// The panel with microphone, speaker, volume and voice cleaning.

import { h, setAttributes } from "./dom.js";
import { Player } from "./player.js";

const OTHER = "other";

export class SoundPanel {
  #mic; #speaker; #devices; #player; #notices;

  constructor(root, devices, player, notices) {
    this.#devices = devices;
    this.#player = player;
    this.#notices = notices;
    const part = (id) => root.querySelector(`#${id}`);
    this.#mic = part("mic-select");
    this.#speaker = part("speaker-select");
    part("speaker-field").hidden = !Player.canChooseSpeaker;
    this.#mic.addEventListener("change", () => devices.chooseMic(this.#mic.value));
    this.#speaker.addEventListener("change", () => this.#chooseSpeaker(this.#speaker.value));
    const volume = part("volume");
    volume.value = Math.round(player.volume * 100);
    volume.addEventListener("input", () => { player.volume = volume.value / 100; });
    const clean = part("clean");
    clean.checked = devices.isCleaning;
    clean.addEventListener("change", () => devices.setCleaning(clean.checked));
    devices.addEventListener("list", () => this.#draw());
    devices.addEventListener("speakergone", ({ detail }) => this.#speakerGone(detail.label));
    if (devices.speaker) this.#player.chooseSpeaker(devices.speaker).catch(() => {});
    devices.refresh();
    for (const button of document.querySelectorAll("[data-sound]")) {
      button.addEventListener("click", () => {
        showPanel(!document.body.hasAttribute("data-sound-open"));
      });
    }
    addEventListener("keydown", (event) => event.key === "Escape" && showPanel(false));
  }

  #draw() {
    const { mics, speakers, mic, speaker } = this.#devices;
    fill(this.#mic, mics, mic, "Microphone");
    fill(this.#speaker, speakers, speaker, "Speaker");
    if (navigator.mediaDevices?.selectAudioOutput) {
      this.#speaker.append(h("option", { value: OTHER }, "Another speaker…"));
    }
  }

  async #chooseSpeaker(value) {
    try {
      let id = value;
      if (value === OTHER) id = (await navigator.mediaDevices.selectAudioOutput()).deviceId;
      await this.#player.chooseSpeaker(id);
      this.#devices.rememberSpeaker(id);
      if (value === OTHER) await this.#devices.refresh();
    } catch {
      this.#notices.toast("That speaker cannot be used.");
      this.#draw();
    }
  }

  async #speakerGone(label) {
    this.#devices.rememberSpeaker("");
    await this.#player.chooseSpeaker("").catch(() => {});
    this.#draw();
    this.#notices.toast(`${label} is gone. The sound comes from the default speaker.`);
  }
}

/** On a phone the panel is folded away until asked for. */
function showPanel(open) {
  document.body.toggleAttribute("data-sound-open", open);
  for (const button of document.querySelectorAll("[data-sound]")) {
    setAttributes(button, { "aria-expanded": open });
  }
}

/** "default" and "communications" are the browser's own words for what "" means here. */
function fill(select, devices, chosen, kind) {
  const real = devices.filter(({ deviceId }) =>
    deviceId && deviceId !== "default" && deviceId !== "communications");
  const options = real.map((device, i) =>
    h("option", { value: device.deviceId }, device.label || `${kind} ${i + 1}`));
  select.replaceChildren(h("option", { value: "" }, "System default"), ...options);
  select.value = real.some((device) => device.deviceId === chosen) ? chosen : "";
}
