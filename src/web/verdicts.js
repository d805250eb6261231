// Why somebody is heard or not, in plain words. Facts in, words out: the server's half (one of its
// `legs`, see PROTOCOL section 6) joined with this browser's half (hearing.js).

const SERVER_SAYS = {
  heard: [(name) => `You can hear ${name}.`, "good"],
  silent: [(name) => `${name}’s microphone is on, but all it picks up is silence.`, "fair"],
  no_microphone: [(name) => `${name} only listens: no microphone there.`, "quiet"],
  no_packets: [(name) =>
    `Nothing arrives from ${name} now: silent, or the trouble is on that side.`, "fair"],
  no_slot: [(name, { places }) =>
    `${name} has no place among the ${places} voices you hear at once: others are louder.`, "fair"],
};
const HERE_SAYS = {
  muted_here: [(name) => `You muted ${name} for yourself.`, "fair"],
  volume_zero: [(name) => `You turned ${name}’s volume down to nothing.`, "fair"],
  blocked: [() => "The browser holds all sound back until you tap.", "poor"],
  not_arriving: [(name) =>
    `The server sends you ${name}’s voice, but nothing arrives in this browser.`, "poor"],
  not_playing: [(name) =>
    `${name}’s voice arrives here, but the browser does not play it.`, "poor"],
};
const SILENCE_DBOV = 127;
/** As the server's own `no_packets`. */
const NOTHING_FOR_MS = 2000;

/**
 * {verdict, here, text, tone: good|quiet|fair|poor, hops}. `leg` is the server's word; `line` is
 * what Hearing.look() found of him, or undefined; `wishes` and `own` are Hearing's as well.
 */
export function explain(leg, { name, line, wishes, own, places, nameOf }) {
  if (leg.own) return { verdict: "own", here: "own", ...aboutOwn(leg, own, nameOf),
    hops: ownHops(leg, own) };
  const isHeard = leg.verdict === "heard";
  const here = isHeard ? hereOf(line, wishes) : "ok";
  const [text, tone] = HERE_SAYS[here] ?? SERVER_SAYS[leg.verdict] ?? otherwise(leg, nameOf);
  const hops = [fromPerson(leg, name), fromServer(leg, line), fromHere(line, wishes, isHeard)];
  return { verdict: leg.verdict, here, text: text(name, { places }), tone, hops };
}

function hereOf(line, { isMutedHere, volume, isBlocked }) {
  if (isMutedHere) return "muted_here";
  if (volume === 0) return "volume_zero";
  if (isBlocked) return "blocked";
  if (line?.rate === 0) return "not_arriving";
  return line && !line.isPlaying ? "not_playing" : "ok";
}

function otherwise(leg, nameOf) {
  if (leg.verdict === "muted") {
    const by = leg.muted_by && leg.muted_by !== leg.jid ? ` by ${nameOf(leg.muted_by)}` : "";
    return [(name) => `${name} is muted${by}.`, "quiet"];
  }
  const isLost = leg.link === "lost";
  return isLost ? [(name) => `${name}’s connection is lost.`, "poor"]
    : [(name) => `${name} is not connected yet.`, "fair"];
}

function aboutOwn(leg, own, nameOf) {
  const say = (text, tone) => ({ text, tone });
  if (leg.link !== "connected") return say("Your own connection is not up.", "poor");
  if (!leg.sends) return say("You only listen: you have no microphone here.", "quiet");
  if (leg.muted && leg.muted_by && leg.muted_by !== leg.jid) {
    return say(`${nameOf(leg.muted_by)} muted you: nobody hears you.`, "fair");
  }
  if (leg.muted) return say("You are muted: nobody hears you.", "quiet");
  if (own.isSilenced) return say("Your system or headset silences your microphone.", "poor");
  if (own.rate === 0) return say("Your microphone is on, but this browser sends nothing.", "poor");
  if (!isFresh(leg)) return say("Nothing of your voice reaches the server.", "poor");
  return leg.talking ? say("The server hears you.", "good")
    : say("Your microphone is on; the server hears silence from it now.", "good");
}

// The way of a voice, hop by hop: {title, facts, tone}.

function ownHops(leg, { rate, rttMs, lost, isSilenced }) {
  const path = leg.path?.remote
    ? [`${leg.path.protocol.toUpperCase()} from ${leg.path.remote} to ${leg.path.local}`] : [];
  const trip = rttMs === null ? "" : `${rttMs.toFixed(0)} ms round trip`;
  const sending = rate === null ? "counting…" : `sends ${rate.toFixed(0)} packets a second`;
  return [
    { title: "This browser", tone: tone(leg.muted || !leg.sends || (rate !== 0 && !isSilenced)),
      facts: [sending, isSilenced ? "silenced by the system" : ""] },
    { title: "Your connection", tone: tone(leg.link === "connected"),
      facts: [LINKS[leg.link] ?? leg.link, trip,
        leg.bundle_ms ? `a large call: you hear up to ${leg.bundle_ms} ms later` : "",
        `${percent(lost * 100)} lost`, ...path] },
    fromPerson(leg, "You"),
  ];
}

const LINKS = { connecting: "being set up", connected: "up", lost: "lost" };

function fromPerson(leg, name) {
  const mic = !leg.sends ? "no microphone" : leg.muted ? "muted" : "microphone on";
  const level = leg.level === null || leg.level === undefined || leg.level >= SILENCE_DBOV
    ? "silence" : `${leg.talking ? "talks" : "quiet"} at −${leg.level} dB`;
  const last = leg.last_packet_ms === null ? "never a packet" : `last ${ago(leg.last_packet_ms)}`;
  const facts = [mic, leg.sends && !leg.muted ? level : "", last,
    `${count(leg.packets_in)} packets in`, `${percent(leg.loss_in_percent)} lost`];
  const isFine = leg.link === "connected" && (leg.muted || !leg.sends || isFresh(leg));
  return { title: `${name} → server`, facts, tone: tone(isFine) };
}

function fromServer(leg, line) {
  const title = "Server → you";
  const slot = leg.slotForMe;
  if (!slot) return { title, facts: ["in none of your slots"], tone: "quiet" };
  const facts = [`slot ${slot.mid}`, `${count(slot.packets_out)} packets out`,
    `${percent(slot.loss_percent)} lost`];
  if (line && line.mid !== slot.mid) facts.push(`this browser thinks it is slot ${line.mid}`);
  return { title, facts, tone: "good" };
}

function fromHere(line, { isMutedHere, volume, isBlocked, speaker }, isHeard) {
  const title = "This browser";
  const loudness = isMutedHere ? "muted by you" : `volume ${Math.round(volume * 100)} %`;
  if (!line) return { title, facts: [loudness], tone: "quiet" };
  const counted = line.rate === null ? ["counting…"] : [
    `${line.rate.toFixed(0)} packets a second`, `${percent(line.loss * 100)} lost`,
    `${line.jitterMs.toFixed(0)} ms jitter`,
    // Where nobody is to be heard, silence is made up, and that is right.
    isHeard ? `${percent(line.concealed * 100)} made up` : ""];
  const plays = isBlocked ? "held back by the browser" : line.isPlaying ? "plays" : "does not play";
  const facts = [...counted, plays, loudness, speaker];
  const isHushed = isMutedHere || volume === 0;
  return { title, facts, tone: isHushed ? "fair" : tone(line.isPlaying && !isBlocked) };
}

function isFresh(leg) {
  return leg.last_packet_ms !== null && leg.last_packet_ms <= NOTHING_FOR_MS;
}

function tone(isGood) {
  return isGood ? "good" : "poor";
}

function ago(ms) {
  return ms < 1000 ? `${ms} ms ago` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s ago`;
}

function count(number) {
  return (number ?? 0).toLocaleString("en");
}

function percent(number) {
  return `${(number ?? 0).toFixed(1)}\u00a0%`;
}
