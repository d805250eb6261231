// What a browser test does inside the page: it waits, and it listens to what is played.
// It is there before the page's own scripts, and again after a reload.

"use strict";

const LOOK_EVERY_MS = 50;
/** Below -60 dBov: nobody is heard. */
const SILENCE_RMS = 0.001;
/** Share of the power around the strongest frequency: a pure tone has nearly all of it. */
const PURE = 0.6;
/** Two bins of the analyser: far less than what is between two people's tones. */
const NEAR_HZ = 25;
const BINS_OF_A_PEAK = 3;

window.ears = (() => {
  let context = null;
  const analysers = new WeakMap();

  function analyserOf(track) {
    context ??= new AudioContext();
    if (!analysers.has(track)) {
      const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      analysers.set(track, analyser);
    }
    return analysers.get(track);
  }

  /** Of the last 85 ms: loudness, the strongest frequency, and how much of all is there. */
  function listen(track) {
    const analyser = analyserOf(track);
    const wave = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(wave);
    const rms = Math.sqrt(sum(wave.map((x) => x * x)) / wave.length);
    const decibels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(decibels);
    const powers = decibels.map((dB) => 10 ** (dB / 10));
    const peak = powers.indexOf(Math.max(...powers));
    const from = Math.max(0, peak - BINS_OF_A_PEAK);
    const share = sum(powers.slice(from, peak + BINS_OF_A_PEAK + 1)) / sum(powers);
    return { rms, share, hz: (peak * context.sampleRate) / analyser.fftSize };
  }

  function sum(numbers) {
    return numbers.reduce((all, number) => all + number, 0);
  }

  /** Every section of the call in which there is sound, and whose the page says it is. */
  function hears() {
    const { client } = window.voxhall;
    const jidOf = new Map([...client.tracksByJid].map(([jid, track]) => [track, jid]));
    const sections = (client.pc?.getTransceivers() ?? []).map(({ mid, receiver: { track } }) =>
      ({ mid, jid: jidOf.get(track) ?? "", ...listen(track) }));
    return sections.filter(({ rms }) => rms > SILENCE_RMS);
  }

  /** Whether these people are heard, each by his tone, and no other sound: `tones` jid -> Hz. */
  function hearsExactly(tones) {
    const heard = hears();
    const isTheirs = ({ jid, share, hz }) =>
      share > PURE && Math.abs(hz - (tones[jid] ?? NaN)) < NEAR_HZ;
    return heard.length === Object.keys(tones).length && heard.every(isTheirs);
  }

  async function statsOf(type) {
    const stats = await window.voxhall.client.pc.getStats();
    return [...stats.values()].filter((report) => report.type === type);
  }

  /** Waits until `isSo()` at `looks` looks in a row; what there is instead at the deadline. */
  async function until(isSo, looks, deadlineMs) {
    const deadline = performance.now() + deadlineMs;
    let inARow = 0;
    while (performance.now() < deadline) {
      inARow = (await isSo()) ? inARow + 1 : 0;
      if (inARow === looks) return null;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
    const told = [...document.querySelectorAll("[data-test=state], .notice, .toast")];
    const says = told.map((element) => element.textContent);
    return { hears: window.voxhall?.client ? hears() : null, says };
  }

  return { hears, hearsExactly, statsOf, until };
})();
