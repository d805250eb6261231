// Microphone and speaker: asking for them, choosing, and what happens when one is unplugged.
//
// Events: `list` {mics, speakers}, `track` {track or null} after a change that was not asked for,
// `notice` {text}.

const CLEAN_KEY = "voxhall.clean";
const TROUBLES = {
  insecure: "Browsers give no microphone to a page that came over plain http from another machine."
    + " Ask for the https address of this server, or open it on the machine it runs on.",
  refused: "The microphone is blocked for this page. Allow it in the address bar of the browser"
    + " (or in the system's privacy settings), then try again.",
  missing: "No microphone was found. Plug one in, then try again.",
  busy: "The microphone is in use by another program, or its driver does not answer."
    + " Close the other program, then try again.",
  failed: "The microphone did not start.",
};
const KIND_BY_NAME = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** Why there is no microphone: `kind` is insecure, refused, missing, busy or failed. */
export class MicrophoneTrouble extends Error {
  constructor(kind, detail) {
    super(detail ? `${TROUBLES[kind]} (${detail})` : TROUBLES[kind]);
    this.kind = kind;
  }
}

export class Devices extends EventTarget {
  track = null;
  mics = [];
  speakers = [];

  #inUse = false;

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#onChange());
  }

  /** Whether the browser hands out microphones to this page at all. */
  get isAllowed() {
    return window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
  }

  get mic() {
    return localStorage.getItem("voxhall.mic") ?? "";
  }

  get speaker() {
    return localStorage.getItem("voxhall.speaker") ?? "";
  }

  /** Whether the browser cleans the voice: echo, noise, loudness. */
  get isCleaning() {
    return localStorage.getItem(CLEAN_KEY) !== "off";
  }

  /**
   * Starts the chosen microphone, or the default one where the chosen one is away.
   * Throws MicrophoneTrouble.
   */
  async open() {
    if (!this.isAllowed) throw new MicrophoneTrouble("insecure");
    this.#inUse = true;
    const track = await this.#start(this.mic).catch((error) => {
      const gone = error.name === "OverconstrainedError" || error.name === "NotFoundError";
      if (!this.mic || !gone) throw error;
      this.#emit("notice", { text: "The chosen microphone is away. Using the default one." });
      return this.#start("");
    }).catch((error) => {
      const kind = KIND_BY_NAME[error.name] ?? "failed";
      throw new MicrophoneTrouble(kind, kind === "failed" ? error.message : "");
    });
    this.#use(track);
    await this.refresh();
    return track;
  }

  /** Lets the microphone go: the browser's recording sign disappears. */
  close() {
    this.#inUse = false;
    this.track?.stop();
    this.track = null;
  }

  /** Reads the lists again; labels are there once the microphone was allowed. */
  async refresh() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    this.mics = all.filter((device) => device.kind === "audioinput");
    this.speakers = all.filter((device) => device.kind === "audiooutput");
    this.#emit("list", { mics: this.mics, speakers: this.speakers });
  }

  async chooseMic(id) {
    localStorage.setItem("voxhall.mic", id);
    if (this.#inUse) await this.#replace();
  }

  async setCleaning(on) {
    localStorage.setItem(CLEAN_KEY, on ? "on" : "off");
    if (this.#inUse) await this.#replace();
  }

  rememberSpeaker(id) {
    localStorage.setItem("voxhall.speaker", id);
  }

  /** The label of the microphone in use, as the browser calls it. */
  get micLabel() {
    return this.track?.label || "the default microphone";
  }

  /** What the chosen speaker is called. */
  get speakerLabel() {
    const chosen = this.speakers.find((device) => device.deviceId === this.speaker);
    return (this.speaker && chosen?.label) || "default speaker";
  }

  async #start(id) {
    const clean = this.isCleaning;
    const cleaning = {
      echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean,
    };
    const which = id ? { deviceId: { exact: id } } : {};
    const audio = { ...cleaning, ...which, channelCount: 1 };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return stream.getAudioTracks()[0];
  }

  #use(track) {
    this.track?.stop();
    this.track = track;
    track.addEventListener("ended", () => {
      if (track === this.track) this.#onUnplugged();
    });
  }

  async #replace() {
    try {
      this.#emit("track", { track: await this.open() });
    } catch (trouble) {
      this.#emit("notice", { text: trouble.message });
    }
  }

  async #onUnplugged() {
    const { label } = this.track;
    this.track = null;
    try {
      const track = await this.#start("");
      this.#use(track);
      await this.refresh();
      this.#emit("track", { track });
      this.#emit("notice", { text: `${label} is gone. Using ${this.micLabel}.` });
    } catch {
      this.#emit("track", { track: null });
      this.#emit("notice", { text: `${label} is gone and there is no other. Nobody hears you.` });
    }
  }

  async #onChange() {
    const before = this.speakers;
    await this.refresh();
    const away = (list, id) => id && !list.some((device) => device.deviceId === id);
    if (away(this.speakers, this.speaker) && !away(before, this.speaker)) {
      const label = before.find((device) => device.deviceId === this.speaker)?.label;
      this.#emit("speakergone", { label: label || "The speaker" });
    }
    if (this.#inUse && !this.track && this.mics.length > 0) {
      await this.#replace();
      if (this.track) this.#emit("notice", { text: `Using ${this.micLabel} now. You are muted.` });
    }
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
