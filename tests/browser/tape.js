// How a test listens to a recording that is played: to all <audio> elements of the page at once,
// as they sound, volumes and all.

"use strict";

/** Of the strongest tone: what is weaker by so much is not there. */
const FAINTER_DB = 30;
/** The weakest tone that is one. */
const FAINT_DBFS = -55;
const NEAR_BINS = 2;
/** Of sound: long enough that a seek or a look does not count. */
const PACE_S = 2;

window.tape = (() => {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
  analyser.connect(context.destination);
  const heard = new WeakSet();
  let loop = null;

  const played = () => window.voxhall.shelf.tape;

  /** An element sounds through the analyser from now on. */
  function listen() {
    for (const audio of played().sounds) {
      if (heard.has(audio)) continue;
      heard.add(audio);
      context.createMediaElementSource(audio).connect(analyser);
    }
  }

  /** Plays a stretch over and over, however long a test takes to listen. */
  function keepWithin(from, to) {
    clearInterval(loop);
    played().seek(from);
    loop = setInterval(() => played().position > to && played().seek(from), 20);
  }

  function keepNoMore() {
    clearInterval(loop);
  }

  /** Whether these tones are heard, and those are not. */
  function hears(wanted, unwanted) {
    listen();
    const decibels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(decibels);
    const levelOf = (hz) => {
      const bin = Math.round((hz * analyser.fftSize) / context.sampleRate);
      return Math.max(...decibels.slice(bin - NEAR_BINS, bin + NEAR_BINS + 1));
    };
    const levels = wanted.map(levelOf);
    const strongest = Math.max(...levels);
    return levels.every((level) => level > Math.max(FAINT_DBFS, strongest - FAINTER_DB))
      && unwanted.map(levelOf).every((level) => level < strongest - FAINTER_DB);
  }

  /** Seconds of the recording that pass in a second of sound. */
  async function pace() {
    listen();
    const begin = { sound: context.currentTime, position: played().position };
    while (context.currentTime < begin.sound + PACE_S) {
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
    return (played().position - begin.position) / (context.currentTime - begin.sound);
  }

  /** Whether something is drawn there; both are shares of the width and the height. */
  function isDrawn(canvas, x, y) {
    const at = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
    return canvas.getContext("2d").getImageData(...at, 1, 1).data[3] > 0;
  }

  /** Share of the width where the waveform is higher than a line. */
  function waveShare() {
    const canvas = document.querySelector("[data-test=wave] canvas");
    const columns = Array.from({ length: canvas.width }, (_, x) => (x + 0.5) / canvas.width);
    return columns.filter((x) => isDrawn(canvas, x, 0.35)).length / canvas.width;
  }

  function laneIsDrawn(jid, share) {
    const lane = `[data-test=voice][data-jid="${jid}"] canvas`;
    return isDrawn(document.querySelector(lane), share, 0.25);
  }

  /** Hexadecimal SHA-256 of what a download link gives. */
  async function downloaded(name) {
    const link = document.querySelector(`[data-test=download][data-name="${name}"]`);
    const bytes = await (await fetch(link.href)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  return { keepWithin, keepNoMore, hears, pace, waveShare, laneIsDrawn, downloaded };
})();
