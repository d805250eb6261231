// Who is heard in which section of a leg. In a big call voices move between sections at any time:
// server.call.tracks says so, and the `jids` beside a description say how it stands. Part of
// call.js.

export class Seats {
  /** mid -> jid of who is heard there now, "" where nobody is. */
  jidByMid = new Map();
  /** Person's jid -> the MediaStreamTrack that carries his voice now. */
  tracksByJid = new Map();

  clear() {
    this.jidByMid.clear();
    this.tracksByJid = new Map();
  }

  /** `tracks` of server.call.tracks; `trackOf` mid -> MediaStreamTrack of the leg. */
  move(tracks, trackOf) {
    for (const { mid, jid } of tracks) {
      for (const [other, who] of this.jidByMid) if (who === jid) this.jidByMid.set(other, "");
      this.jidByMid.set(mid, jid);
    }
    this.#seat(trackOf);
  }

  /** `jids[i]` is heard in the i-th section in which the server sends, unless news overtook it. */
  describe(sdp, jids, trackOf) {
    sendingMids(sdp).forEach((mid, i) => {
      if (jids[i] && !this.jidByMid.has(mid)) this.jidByMid.set(mid, jids[i]);
    });
    this.#seat(trackOf);
  }

  #seat(trackOf) {
    const seated = [...this.jidByMid].filter(([mid, jid]) => jid && trackOf.has(mid));
    this.tracksByJid = new Map(seated.map(([mid, jid]) => [jid, trackOf.get(mid)]));
  }
}

/** The mids of the sections in which the writer of this SDP sends, in order. */
function sendingMids(sdp) {
  const sections = sdp.split(/^m=/m).slice(1).filter((section) => section.startsWith("audio"));
  return sections
    .filter((section) => !/^a=(recvonly|inactive)\s*$/m.test(section))
    .map((section) => /^a=mid:(\S+)/m.exec(section)?.[1]);
}
