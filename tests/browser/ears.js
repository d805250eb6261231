// What a browser test does inside the page: it waits, and it listens to what is played. `listen`
// and LOOK_MS come with it, from the browser's own listen_*.js.

"use strict";

const LOOK_EVERY_MS = 50;
/** Below -60 dBov: nobody is heard. */
const SILENCE_RMS = 0.001;
/** Share of the power around the strongest frequency: a pure tone has nearly all of it. */
const PURE = 0.6;
/** Two bins of the analyser: far less than what is between two people's tones. */
const NEAR_HZ = 25;
const BINS_OF_A_PEAK = 3;
/** At 48 kHz: the last 85 ms, in bins of 12 Hz. */
const ANALYSER = { fftSize: 4096, smoothingTimeConstant: 0 };
/** Samples a second: what browsers decode Opus to. */
const OPUS_HZ = 48000;
/** A packet of voice is far larger, one of silence far smaller. */
const VOICE_BYTES = 30;

window.ears = (() => {
  const talking = new Map();

  /** From now on knows the server's word on who talks. */
  function follow() {
    window.voxhall.client.addEventListener("talking", ({ detail }) =>
      talking.set(detail.actor, detail.talking));
  }

  /** Whether somebody talks, by the server's last word and as the page shows it. */
  function seesTalking(jid, talks) {
    const shown = document.querySelector(`[data-test=person][data-jid="${jid}"]`);
    return talking.get(jid) === talks && shown?.dataset.talking === String(talks);
  }

  /** Every section of the call in which there is sound, and whose the page says it is. */
  async function hears() {
    const { client } = window.voxhall;
    const jidOf = new Map([...client.tracksByJid].map(([jid, track]) => [track, jid]));
    const transceivers = client.pc?.getTransceivers() ?? [];
    const listening = transceivers.map(async ({ mid, receiver: { track } }) =>
      ({ mid, jid: jidOf.get(track) ?? "", ...await listen(track) }));
    return (await Promise.all(listening)).filter(({ rms }) => rms > SILENCE_RMS);
  }

  /** Whether these people are heard, each by his tone, and no other sound: `tones` jid -> Hz. */
  async function hearsExactly(tones) {
    const heard = await hears();
    const isTheirs = ({ jid, share, hz }) =>
      share > PURE && Math.abs(hz - (tones[jid] ?? NaN)) < NEAR_HZ;
    return heard.length === Object.keys(tones).length && heard.every(isTheirs);
  }

  /** Whether voice leaves this browser now, and not only packets of silence. */
  async function sendsVoice() {
    const sent = async () => (await statsOf("outbound-rtp"))[0];
    const before = await sent();
    await new Promise((resolve) => { setTimeout(resolve, 4 * LOOK_EVERY_MS); });
    const now = await sent();
    const bytes = now.bytesSent - before.bytesSent;
    return bytes > VOICE_BYTES * (now.packetsSent - before.packetsSent);
  }

  /** Mean delay in the jitter buffers over a second of sound, `afterS` of sound from now. */
  async function jitterBufferMs(afterS) {
    const played = async () => {
      const reports = await statsOf("inbound-rtp");
      return {
        delayS: sum(reports.map((it) => it.jitterBufferDelay ?? 0)),
        samples: sum(reports.map((it) => it.jitterBufferEmittedCount ?? 0)),
      };
    };
    const beyond = async (samples) => {
      for (;;) {
        const now = await played();
        if (now.samples >= samples) return now;
        await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
      }
    };
    const begin = await beyond((await played()).samples + afterS * OPUS_HZ);
    const end = await beyond(begin.samples + OPUS_HZ);
    return (1000 * (end.delayS - begin.delayS)) / (end.samples - begin.samples);
  }

  /** What the server says of one's own leg. */
  async function ownLeg() {
    const { client, session } = window.voxhall;
    const { token, team } = session();
    const path = `/api/v3/teams/${team.uid}/calls/${client.call.uid}/legs`;
    const answer = await (await fetch(path, { headers: { token } })).json();
    return answer.result.legs.find(({ own }) => own);
  }

  async function statsOf(type) {
    const stats = await window.voxhall.client.pc.getStats();
    return [...stats.values()].filter((report) => report.type === type);
  }

  /** Waits until `isSo()` at every look for `heldMs`; what there is instead at the deadline. */
  async function until(isSo, heldMs, deadlineMs) {
    const looks = Math.max(1, Math.ceil(heldMs / LOOK_MS));
    const deadline = performance.now() + deadlineMs;
    let inARow = 0;
    while (performance.now() < deadline) {
      inARow = (await isSo()) ? inARow + 1 : 0;
      if (inARow === looks) return null;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
    const told = [...document.querySelectorAll("[data-test=state], .notice, .toast")];
    const says = told.map((element) => element.textContent);
    return { hears: window.voxhall?.client ? await hears() : null, says };
  }

  return {
    follow, hears, hearsExactly, jitterBufferMs, ownLeg, seesTalking, sendsVoice, statsOf, until,
  };
})();

/** Loudness, the strongest frequency, and how much of all is there. */
function measure(analyser) {
  const wave = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(wave);
  const rms = Math.sqrt(sum(wave.map((x) => x * x)) / wave.length);
  const decibels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(decibels);
  const powers = decibels.map((dB) => 10 ** (dB / 10));
  const peak = powers.indexOf(Math.max(...powers));
  const from = Math.max(0, peak - BINS_OF_A_PEAK);
  const share = sum(powers.slice(from, peak + BINS_OF_A_PEAK + 1)) / sum(powers);
  return { rms, share, hz: (peak * analyser.context.sampleRate) / analyser.fftSize };
}

function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}
