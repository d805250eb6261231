// The page: who I am, which screen is on, and what a press of a button does. The call itself is
// call.js; this file only tells it what people want and draws what it says.

import { Actions } from "./actions.js";
import { api } from "./api.js";
import { watchWaking } from "./awake.js";
import { VoxhallClient } from "./call.js";
import { CallView } from "./callview.js";
import { Devices } from "./devices.js";
import { Diagnosis } from "./diagnosis.js";
import { setText } from "./dom.js";
import { Hearing } from "./hearing.js";
import { listenToKeys } from "./keys.js";
import { ChatList } from "./list.js";
import { CallMeters } from "./meters.js";
import { drawDemo, wirePlaces } from "./places.js";
import { Player } from "./player.js";
import { Ringing } from "./ringing.js";
import { Sayings } from "./sayings.js";
import { dropSession, keepSession, login, storedSession, tabDevice } from "./session.js";
import { Shelf } from "./shelf.js";
import { SoundPanel } from "./soundpanel.js";
import { Voices } from "./voices.js";
import { describeCall, endedText, refusedText, ringText, warningText } from "./wording.js";

const REFRESH_MS = 15000;
const LEVELS_MS = 100;
const SECOND_MS = 1000;
/** A blip of the socket is nobody's business; a longer silence is. */
const GONE_AFTER_MS = 1200;
const LAST_CALL_KEY = "voxhall.incall";
/** Their refusals show elsewhere, or mend themselves. */
const QUIET_WARNINGS = ["client.call.leave", "client.call.offer", "client.call.sdp"];

const $ = (id) => document.getElementById(id);
const notices = new Sayings($("banners"), $("toasts"));
const devices = new Devices();
const player = new Player();
const voices = new Voices();
const ringing = new Ringing($("rings"));
new SoundPanel($("sound"), devices, player, notices);
const diagnosis = new Diagnosis($("diagnosis"), {
  ask: () => api("GET", callPath("legs"), { token: session.token }),
  hearing: new Hearing({ player, voices, devices }), client: () => client, nameOf,
});
const actions = new Actions($("actions"), {
  client: () => client, absent, diagnose: () => diagnosis.open(),
});
const list = new ChatList($("list"), (jid) => startCall(jid));
const shelf = new Shelf($("shelf"), {
  session: () => session, known: () => ({ chats: chats ?? [], me: session.me }),
  say: (text) => notices.toast(text), onTurn: draw,
});

let session = null;
let client = null;
let view = null;
let chats = null;
/** The chat whose call waits for the microphone, and the number of the attempt. */
let pending = null;
let attempt = 0;
let socketState = "connecting";
let drawing = false;
/** How the last drawing told the own mute. */
let told = { mute: "", mutedBy: "" };

// Coming in

async function begin() {
  $("name").value = localStorage.getItem("voxhall.name") ?? "";
  if (!devices.isAllowed) notices.insecure();
  session = storedSession();
  if (session) await enter();
  else showStart();
}

function showStart() {
  document.body.dataset.screen = "start";
  document.title = "Voxhall";
  $("name").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector("button");
  const name = $("name").value.trim();
  if (!name) return;
  button.disabled = true;
  $("login-error").hidden = true;
  try {
    session = await login(name);
    await enter();
  } catch (error) {
    $("login-error").hidden = false;
    setText($("login-error"), refusedText(error));
  }
  button.disabled = false;
});

$("change-name").addEventListener("click", () => {
  client.close();
  client = null;
  window.voxhall.client = null;
  ringing.stopAll();
  shelf.forget();
  notices.hideAll("server", "again", "taken", "kicked");
  dropSession();
  session = chats = null;
  showStart();
});

async function enter() {
  document.body.dataset.screen = "hall";
  setText($("me-name"), session.me.display_name);
  chats = session.chats ?? null;
  const { token, team, me } = session;
  client = new VoxhallClient({
    base: location.origin, token, team: team.uid, me: me.jid, device: await tabDevice(),
    reauthorize,
  });
  view = new CallView($("stage"), {
    client, meters: new CallMeters(client), voices, onKick: (jid) => client.kick(jid),
  });
  listenToClient(client);
  client.connect();
  window.voxhall = { client, devices, player, shelf, session: () => session };
  shelf.turn();
  offerReturn();
  refresh();
  draw();
}

/** The server did not let the socket in: a lost token means a new start under the same name. */
async function reauthorize() {
  const refused = await api("GET", "/api/v3/me", { token: session.token })
    .then(() => false, (error) => {
      if (error.status === 401 || error.status === 403) return true;
      throw error;
    });
  if (refused) {
    const name = session.me.display_name;
    const old = chats?.find((chat) => chat.jid === client.call?.jid);
    session = await login(name);
    chats = session.chats ?? [];
    const same = old && chats.find((chat) => chat.display_name === old.display_name);
    if (same) client.call.jid = same.jid;
    else if (client.call) client.leave();
    draw();
  }
  return { token: session.token, team: session.team.uid, me: session.me.jid };
}

// What the server says

function listenToClient(source) {
  const on = (type, act) => source.addEventListener(type, ({ detail }) => {
    if (source !== client) return;
    act(detail);
    draw();
  });
  on("socket", onSocket);
  on("online", ({ contacts }) => {
    const known = new Set(chats?.map((chat) => chat.jid));
    const news = contacts.some(({ jid }) => jid !== session.me.jid && !known.has(jid));
    if (news || chats === null) refreshSoon();
  });
  on("calls", () => {
    ringing.follow(client.calls);
    shelf.follow(client.calls);
    for (const jid of client.calls.keys()) if (!chatOf(jid)) return refreshSoon();
  });
  on("call", ({ call }) => {
    sessionStorage.setItem(LAST_CALL_KEY, call.jid);
    if (call.link === "connected") notices.hide("media");
  });
  on("ended", onEnded);
  on("track", ({ mid, track }) => player.attach(mid, track));
  on("tracks", mix);
  on("talking", (talk) => talk.jid === client.call?.jid && view.hearServer(talk));
  on("buzz", (buzz) => client.call?.jid !== buzz.jid && ringing.start({
    jid: buzz.jid, timeoutS: buzz.buzz_timeout, team: buzz.teaminfo?.name,
    text: ringText(buzz, nameOf),
  }));
  on("buzzcancel", ({ jid }) => ringing.stop(jid));
  on("reject", ({ jid }) => {
    ringing.stop(jid);
    const isOwnGroup = jid === client.call?.jid && !jid.startsWith("d-");
    if (isOwnGroup) notices.toast("Somebody does not want to come now.");
  });
  on("warning", (warning) => {
    const isQuiet = QUIET_WARNINGS.includes(warning.orig?.event);
    if (!isQuiet && warning.message) notices.toast(warningText(warning));
  });
  on("trouble", () => notices.noMedia());
  on("event", ({ event }) => /^server\.(chat|contact)\./.test(event) && refreshSoon());
}

function onSocket({ state }) {
  socketState = state;
  clearTimeout(onSocket.timer);
  if (state !== "open") view.forgetServer();
  if (state === "open") {
    notices.hideAll("server", "taken");
    refresh();
  } else if (state === "taken") {
    notices.otherTab(() => client.connect());
  } else {
    const tell = () => client && notices.serverGone(() => client?.retryNow());
    onSocket.timer = setTimeout(tell, GONE_AFTER_MS);
  }
}

function onEnded({ jid, reason }) {
  sessionStorage.removeItem(LAST_CALL_KEY);
  notices.hide("media");
  player.stop();
  diagnosis.close();
  if (!pending) devices.close();
  const text = endedText(reason, nameOf(jid));
  if (reason === "kicked") notices.kicked(text, () => startCall(jid));
  else if (text) notices.toast(text);
  if (pending) return;
  document.body.dataset.view = "list";
  if (!document.activeElement.closest("#list")) list.focus(jid);
}

function mix() {
  player.mix(new Map([...client.jidByMid].map(([mid, jid]) => [mid, voices.gainOf(jid)])));
}

/** Where the HTTP side tells more about the present call. */
function callPath(what) {
  const [team, uid] = [session.team.uid, client.call?.uid ?? ""].map(encodeURIComponent);
  return `/api/v3/teams/${team}/calls/${uid}/${what}`;
}

/** What the server says may come in bursts; one look at the list answers them all. */
function refreshSoon() {
  refreshSoon.timer ??= setTimeout(() => {
    refreshSoon.timer = null;
    if (session) refresh();
  }, 300);
}

/** People, groups and the demo's state; a server that is away is the socket's business. */
async function refresh() {
  const { token, team } = session;
  try {
    const path = `/api/v3/teams/${encodeURIComponent(team.uid)}/chats`;
    const found = await api("GET", path, { token });
    if (token !== session?.token) return;
    chats = Array.isArray(found) ? found : found.chats;
    keepSession({ ...session, chats });
    await drawDemo(token);
  } catch { /* the socket's banner says it */ }
  draw();
}

// What people want

async function startCall(jid, { listenOnly = false } = {}) {
  shelf.leave();
  document.body.dataset.view = "stage";
  if (client.call?.jid === jid || pending === jid) return;
  const mine = ++attempt;
  pending = jid;
  client.leave();
  ringing.stop(jid);
  notices.hideAll("mic", "again", "kicked");
  draw();
  let track = null;
  try {
    if (!listenOnly) track = await devices.open();
  } catch (trouble) {
    if (mine === attempt) noMicrophone(jid, trouble);
    return;
  }
  if (mine !== attempt) return pending || client.call || devices.close();
  pending = null;
  client.join(jid, { track });
  drawNow();
  $("call-name").focus();
}

function noMicrophone(jid, trouble) {
  pending = null;
  devices.close();
  document.body.dataset.view = "list";
  notices.noMicrophone(trouble.message, {
    again: () => startCall(jid), listen: () => startCall(jid, { listenOnly: true }),
  });
  draw();
}

function hangUp() {
  attempt += 1;
  pending = null;
  if (client.call) client.leave();
  else devices.close();
  document.body.dataset.view = "list";
  draw();
}

async function toggleMute() {
  if (!client.call || $("mute").disabled) return;
  if (client.track) return client.setMuted(!client.call.muted);
  try {
    await client.setTrack(await devices.open());
    notices.hide("mic");
    client.setMuted(false);
  } catch (trouble) {
    notices.noMicrophone(trouble.message);
  }
}

function offerReturn() {
  const jid = sessionStorage.getItem(LAST_CALL_KEY);
  if (!jid) return;
  const forget = () => {
    notices.hide("again");
    sessionStorage.removeItem(LAST_CALL_KEY);
  };
  notices.wasInCall(nameOf(jid), { back: () => startCall(jid), forget });
}

$("leave").addEventListener("click", hangUp);
$("mute").addEventListener("click", (event) => {
  toggleMute();
  if (event.detail > 0) $("mute").blur();
});
$("back").addEventListener("click", () => { document.body.dataset.view = "list"; });
$("return").addEventListener("click", () => {
  shelf.leave();
  document.body.dataset.view = "stage";
});
$("search").addEventListener("input", draw);
voices.addEventListener("change", () => {
  if (client) mix();
  draw();
});
ringing.addEventListener("accept", ({ detail }) => startCall(detail.jid));
ringing.addEventListener("refuse", ({ detail }) => client.reject(detail.jid));
devices.addEventListener("track", ({ detail: { track } }) => {
  if (track) notices.hide("mic");
  client?.setTrack(track).then(draw);
});
devices.addEventListener("notice", ({ detail }) => notices.toast(detail.text));
player.addEventListener("blocked", ({ detail }) => {
  if (detail.blocked) notices.soundHeldBack(() => player.unlock());
  else notices.hide("sound");
});
listenToKeys({
  isOn: () => Boolean(client?.call),
  // In a recording's view Space plays and pauses.
  isMuted: () => client.call.muted && client.track !== null && !$("mute").disabled
    && !shelf.isOpen,
  toggle: toggleMute, setMuted: (muted) => client?.setMuted(muted),
});

wirePlaces({ session: () => session, chats: () => chats, refresh, notices });

// Drawing

/** People we know who are not in our call. */
function absent() {
  const seated = client.calls.get(client.call?.jid)?.onliners ?? [];
  const inside = new Set(seated.map((onliner) => onliner.jid));
  const people = (chats ?? []).map((chat) => chat.jid).filter((jid) => jid.startsWith("d-"));
  return people.filter((jid) => jid !== session.me.jid && !inside.has(jid));
}

function chatOf(jid) {
  return chats?.find((chat) => chat.jid === jid);
}

function nameOf(jid) {
  if (jid === session.me.jid) return session.me.display_name;
  const seated = client?.call && client.calls.get(client.call.jid)?.onliners;
  const onliner = seated?.find((each) => each.jid === jid);
  return chatOf(jid)?.display_name || onliner?.display_name || "Somebody";
}

/** Draws once a frame, however many things changed. A hidden page draws too: its title shows. */
function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    if (session && client) drawNow();
  });
}

function drawNow() {
  const here = pending ?? client.call?.jid ?? null;
  const others = chats?.filter((chat) => chat.jid !== session.me.jid) ?? null;
  list.draw({ chats: others, online: client.online, calls: client.calls, here });
  const facts = { client, pending, me: session.me, nameOf, isOpen: socketState === "open" };
  const scene = here ? describeCall({ ...facts, jid: here }) : null;
  view.draw(scene ?? { chat: null });
  if (scene) actions.draw(scene);
  tellMute(scene?.mute, scene?.people[0].mutedBy);
  $("return").hidden = !scene;
  if (scene) setText($("return"), `In ${scene.chat.name} — return to the call`);
  document.body.toggleAttribute("data-in-call", Boolean(scene));
  $("recordings-open").hidden = !client.canRecord;
  const title = shelf.title || scene?.chat.name;
  document.title = ringing.text || (title ? `${title} · Voxhall` : "Voxhall");
}

/** Whoever is muted by another, or may speak again, is told as it changes. */
function tellMute(mute = "", mutedBy = "") {
  if (mutedBy && mutedBy !== told.mutedBy) notices.toast(`${mutedBy} muted everyone.`);
  else if (told.mute === "held" && mute === "off") notices.toast("You may unmute yourself again.");
  told = { mute, mutedBy };
}

setInterval(() => view?.drawLevels(session?.me.jid), LEVELS_MS);
setInterval(draw, SECOND_MS);
setInterval(() => client && view.drawQuality(), 2 * SECOND_MS);
setInterval(() => client?.isOpen && !document.hidden && refresh(), REFRESH_MS);
watchWaking({
  wake: () => {
    client?.wake();
    player.resume();
  },
  look: () => client?.retryNow(),
});
/** A page that goes away hangs up, but remembers where it was. */
addEventListener("pagehide", () => {
  const jid = client?.call?.jid;
  client?.leave();
  if (jid) sessionStorage.setItem(LAST_CALL_KEY, jid);
});

window.voxhall = { client: null, devices, player };
begin();
