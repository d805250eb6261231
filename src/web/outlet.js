// One slot's way to the speaker: an audio element, and above 100 % an amplifier before it.

import { VOLUME_MAX } from "./voices.js";

/** Up to here a wave stays as it is; above it is bent, so that a loud voice does not crackle. */
const STRAIGHT_TO = 0.8;
const CURVE_POINTS = 4097;

let context = null;

export class Outlet {
  #element = new Audio();
  #track = null;
  #amplifier = null;
  #gain = 1;
  #volume = 1;

  constructor() {
    this.#element.autoplay = true;
  }

  /** Rejects with NotAllowedError where the browser waits for a tap. */
  carry(track) {
    this.#amplifier?.stop();
    this.#amplifier = null;
    this.#track = track;
    this.#element.srcObject = new MediaStream([track]);
    this.#apply();
    return this.play();
  }

  play() {
    return this.#element.play();
  }

  /** 0 to 1, for everybody. */
  set volume(volume) {
    this.#volume = volume;
    this.#apply();
  }

  /** What the voice of who is heard here is multiplied by; above 1 it is amplified. */
  set gain(gain) {
    this.#gain = gain;
    this.#apply();
  }

  setSpeaker(id) {
    return this.#element.setSinkId?.(id);
  }

  get isPlaying() {
    return !this.#element.paused && this.#element.readyState > 1;
  }

  stop() {
    this.#amplifier?.stop();
    this.#amplifier = this.#track = null;
    this.#element.pause();
    this.#element.srcObject = null;
  }

  /** Once amplified, the way stays: a slot that changes voices must not crackle each time. */
  #apply() {
    if (this.#gain > 1 && !this.#amplifier && this.#track) this.#amplify();
    this.#amplifier?.setGain(Math.max(1, this.#gain));
    this.#element.muted = this.#gain === 0;
    this.#element.volume = this.#volume * Math.min(1, this.#gain);
  }

  /** Where the browser does not let WebAudio sound yet, the voice stays as it comes. */
  async #amplify() {
    const track = this.#track;
    await running();
    if (track !== this.#track || this.#amplifier || this.#gain <= 1) return;
    this.#amplifier = new Amplifier(track);
    this.#amplifier.setGain(this.#gain);
    this.#element.srcObject = this.#amplifier.stream;
    this.#element.play().catch(() => {});
  }
}

/**
 * An element cannot go above 100 %, so the voice goes through WebAudio and comes back as a stream:
 * the chosen speaker and the browser's rules for playing stay those of the element.
 */
class Amplifier {
  #source; #gain; #target; #pump = new Audio();

  constructor(track) {
    const stream = new MediaStream([track]);
    this.#source = context.createMediaStreamSource(stream);
    this.#gain = new GainNode(context, { gain: 1 / VOLUME_MAX });
    this.#target = context.createMediaStreamDestination();
    const limit = new WaveShaperNode(context, { curve: limits() });
    this.#source.connect(this.#gain).connect(limit).connect(this.#target);
    // Chromium decodes a voice only while some element plays it.
    this.#pump.muted = true;
    this.#pump.srcObject = stream;
    this.#pump.play().catch(() => {});
  }

  get stream() {
    return this.#target.stream;
  }

  /** The limiter's curve spans -1 to 1 and stands for VOLUME_MAX times that. */
  setGain(gain) {
    this.#gain.gain.setTargetAtTime(gain / VOLUME_MAX, context.currentTime, 0.02);
  }

  stop() {
    this.#source.disconnect();
    this.#gain.disconnect();
    this.#pump.srcObject = null;
  }
}

async function running() {
  context ??= new AudioContext();
  await context.resume();
  context.onstatechange = () => context.resume().catch(() => {});
}

function limits() {
  return Float32Array.from({ length: CURVE_POINTS }, (_, i) => {
    const wave = VOLUME_MAX * ((2 * i) / (CURVE_POINTS - 1) - 1);
    const over = Math.abs(wave) - STRAIGHT_TO;
    const room = 1 - STRAIGHT_TO;
    return over <= 0 ? wave : Math.sign(wave) * (STRAIGHT_TO + room * Math.tanh(over / room));
  });
}
