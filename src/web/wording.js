// Facts of a call into what the page shows: states and endings in plain words.

const ENDINGS = {
  left: "",
  no_answer: (name) => `${name} did not answer.`,
  rejected: (name) => `${name} does not want to talk now.`,
  elsewhere: () => "You joined this call from another device or tab.",
  kicked: (name) => `Somebody put you out of the call in ${name}. You may call again.`,
  finished: () => "The call is over.",
  call_full: () => "This call is full.",
  no_right: () => "You may not join this call.",
  no_such_call: (name) => `${name} is no longer there.`,
  bad_sdp: () => "The server could not read this browser's offer.",
  bad_params: () => "The server did not understand the request.",
  no_opus: () => "This browser offers no Opus sound, which calls need.",
};
const WARNINGS = {
  muted_by_moderator: "You are held muted until somebody lets you speak.",
  no_right: "You may not do that here.",
};
/** More people than a screen shows. */
const CROWD = 24;
const ALONE = "Nobody else is here yet. Ring people, or wait for them.";
const STATES = {
  microphone: "Asking for the microphone…",
  waiting: "Waiting for the server…",
  calling: "Calling…",
  connecting: "Connecting…",
  ringing: "Ringing…",
  connected: "Connected",
  lost: "Connection lost, trying again…",
};

/** What to say when a call ended; "" where the person knows, because he left. */
export function endedText(reason, name) {
  const ending = ENDINGS[reason] ?? (() => "The server refused the call.");
  return ending && ending(name);
}

/** What to say when a request was refused, or nobody was there to answer it. */
export function refusedText(error) {
  if (error.status === undefined) return "The server does not answer. Is it running?";
  if (error.status === 429) return "Too many tries. Wait a moment.";
  return `The server said no: ${error.message}`;
}

/** What to say when the server did not do what was wanted. */
export function warningText({ code, message = "" }) {
  return WARNINGS[code] ?? message.charAt(0).toUpperCase() + message.slice(1);
}

/** What the ringing card says of server.call.buzz: in a group it names who rings. */
export function ringText({ jid, actor, display_name: chat }, nameOf) {
  const caller = actor?.display_name || nameOf(actor?.jid ?? actor);
  const name = chat || nameOf(jid);
  return jid.startsWith("d-") ? `${name} is calling` : `${caller} calls you to ${name}`;
}

/** Everything CallView and Actions draw. `pending` is the chat that waits for the microphone. */
export function describeCall({ client, pending, me, nameOf, isOpen, jid }) {
  const { call } = client;
  const state = client.calls.get(jid);
  const isDirect = jid.startsWith("d-");
  const rings = isDirect && Boolean(state?.buzz) && !state.start;
  const live = call && !pending;
  const link = stageOf({ call, live, isOpen, rings });
  const onliners = state?.onliners ?? [];
  const people = peopleOf({ call, live, me, nameOf, link, onliners, canKick: !isDirect });
  const others = people.length - 1;
  const holder = live ? holderOf({ call, state, onliners, me }) : "";
  const alone = others === 0 && link === "connected";
  if (isDirect && rings && live) people.push(ringingPerson(jid, nameOf));
  const startedMs = state?.start ? Date.parse(state.start) : NaN;
  const nowMs = Date.now() + (client.clockLeadMs ?? 0);
  return {
    chat: { jid, name: nameOf(jid) },
    people,
    state: STATES[link],
    link,
    mute: holder ? "held" : muteOf({ live, call, track: client.track }),
    muteText: holder ? `Muted by ${nameOf(holder)}` : "",
    hint: holder ? heldText(nameOf(holder)) : !alone ? ""
      : isDirect ? `${nameOf(jid)} is not here now.` : ALONE,
    count: others > CROWD ? `${people.length.toLocaleString("en")} here` : "",
    others, isGroup: !isDirect, isLive: Boolean(live && call.uid),
    isSticky: Boolean(state?._sticky), isRecorded: Boolean(state?.audiorecord),
    canRecord: client.canRecord,
    rings: Boolean(state?.buzz),
    elapsedS: Number.isNaN(startedMs) || !live ? null : Math.max(0, (nowMs - startedMs) / 1000),
  };
}

/** Jid of who muted us so that we may not undo it, or "". */
function holderOf({ call, state, onliners, me }) {
  const by = onliners.find((onliner) => onliner.jid === me.jid)?._muted_by ?? "";
  return state?._sticky && call.muted && by !== me.jid ? by : "";
}

function heldText(name) {
  return `${name} muted everyone and keeps it so. You can unmute once somebody lets you speak.`;
}

function muteOf({ live, call, track }) {
  if (!live) return "on";
  if (track === null) return "none";
  return call.muted ? "off" : "on";
}

function stageOf({ call, live, isOpen, rings }) {
  if (!live) return "microphone";
  if (!isOpen && call.link !== "connected") return "waiting";
  return call.link === "connected" && rings ? "ringing" : call.link;
}

/**
 * Oneself first, then the others as the server lists them; in a crowd those who are not muted
 * before those who are, or nobody would see who talks.
 */
function peopleOf({ call, live, me, nameOf, link, onliners, canKick }) {
  const mutedBy = ({ jid, _muted_by: by }) => (by && by !== jid ? nameOf(by) : "");
  const mine = link === "connected" || link === "ringing" ? "connected" : "connecting";
  const self = { jid: me.jid, name: me.display_name, isMe: true };
  const seated = onliners.find((onliner) => onliner.jid === me.jid) ?? {};
  const own = { ...self, muted: live ? call.muted : false, link: link === "lost" ? link : mine,
    mutedBy: mutedBy(seated), canKick: false };
  const others = onliners.filter((onliner) => onliner.jid !== me.jid);
  if (others.length > CROWD) others.sort((one, other) => Boolean(one.muted) - Boolean(other.muted));
  return [own, ...others.map((onliner) => ({
    jid: onliner.jid, name: onliner.display_name || nameOf(onliner.jid),
    isMe: false, muted: Boolean(onliner.muted), mutedBy: mutedBy(onliner),
    link: linkOf(onliner), canKick,
  }))];
}

/** The contract has no word for a lost device: the additive `_link`, or no device at all. */
function linkOf(onliner) {
  if (onliner._link) return onliner._link;
  return onliner.devices?.length === 0 ? "lost" : "connected";
}

function ringingPerson(jid, nameOf) {
  return { jid, name: nameOf(jid), isMe: false, muted: false, link: "ringing", canKick: false };
}
