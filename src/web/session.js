// Who I am, kept over reloads. A tab keeps its own copy, so that two tabs can be two people; a new
// tab starts as whoever came in last. The device id is the tab's alone.

import { api } from "./api.js";

const KEY = "voxhall.session";
const DEVICE_KEY = "voxhall.device";

/** {token, me: {jid, display_name}, team: {uid, name}, chats} or null. */
export function storedSession() {
  const text = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  return text ? JSON.parse(text) : null;
}

export function keepSession(session) {
  sessionStorage.setItem(KEY, JSON.stringify(session));
  localStorage.setItem(KEY, JSON.stringify(session));
}

/** Forgets who I am, but not how I am called. */
export function dropSession() {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

export async function login(name) {
  const session = await api("POST", "/api/v3/demo-login", { body: { display_name: name } });
  keepSession(session);
  localStorage.setItem("voxhall.name", name);
  return session;
}

/** A duplicated tab gets a copy of sessionStorage: the lock tells, and it takes a new id. */
export async function tabDevice() {
  const stored = sessionStorage.getItem(DEVICE_KEY);
  if (stored && (await isOurs(stored))) return stored;
  const random = crypto.getRandomValues(new Uint8Array(9));
  const fresh = `tab-${Array.from(random, (byte) => byte.toString(36)).join("")}`.slice(0, 64);
  sessionStorage.setItem(DEVICE_KEY, fresh);
  await isOurs(fresh);
  return fresh;
}

/** Holds a lock named by the device for as long as this page lives. */
function isOurs(device) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    const wait = { signal: AbortSignal.timeout(400) };
    const hold = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`voxhall.${device}`, wait, hold).catch(() => resolve(false));
  });
}
