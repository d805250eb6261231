// Who is online and which chats have a call, from what the server says. Part of call.js.

const FINISHED_MAX = 256;

export class Directory {
  /** Jids of the people who are online. */
  online = new Set();
  /** Chat jid -> the last server.call.state of its live call. */
  calls = new Map();
  /** Server clock minus ours, in milliseconds. */
  clockLeadMs = null;

  #finished = new Set();

  /** server.online. `isFresh`: the first one of a socket; what it does not name is over. */
  takeOnline({ contacts = [], calls }, isFresh) {
    this.online = new Set(contacts.map((contact) => contact.jid));
    const live = new Map((calls ?? []).map((call) => [call.jid, call]));
    for (const [jid, known] of this.calls) {
      const gone = live.get(jid)?.uid !== known.uid;
      if (gone && (isFresh || !known.gentime)) this.calls.delete(jid);
    }
    for (const [jid, call] of live) if (!this.calls.has(jid)) this.calls.set(jid, { ...call });
  }

  /** server.call.state. False for one that is older than what is known. */
  takeState(state) {
    const known = this.calls.get(state.jid);
    const stale = known?.uid === state.uid && known.gentime >= state.gentime;
    if (stale || this.#finished.has(state.uid)) return false;
    this.clockLeadMs = Math.max(this.clockLeadMs ?? -Infinity, state.gentime / 1e6 - Date.now());
    if (state.finish) this.#finished.add(state.uid);
    if (this.#finished.size > FINISHED_MAX) this.#finished.delete([...this.#finished][0]);
    if (!state.finish) this.calls.set(state.jid, state);
    else if (!known || known.uid === state.uid) this.calls.delete(state.jid);
    return true;
  }
}
