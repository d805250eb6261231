"""A whole chat core: the other end of Voxhall's core link, as docs/core.md has it.

One team, one group, and people made of the names they come with. A production core has passwords,
a database and a pace for each client besides; to the node it says no more than this.
"""

import argparse
import asyncio
import collections
import contextlib
import hmac
import json
import os
import random
import signal
import sys
import tempfile
import urllib.parse
import uuid

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

TEAM = {"uid": "2c6d1f80-93ab-4e5d-b7f1-40c8a9e2d305", "name": "Team"}
LOBBY = {"type": "group", "jid": "g-0e9b4c7d-81f2-4d6a-a5c3-27d4e8f1b004", "display_name": "Lobby"}
SOCKET = {"ping_interval": 15, "ping_timeout": 15, "close_timeout": 2, "max_size": 4 * 1024 * 1024}
MESSAGE_MAX = 256 * 1024
KEPT = 10_000  # the bound of every queue and memory
tasks = set()  # asyncio by itself might forget them


def rights(person, chat):
    """Here a production core decides what this person may in this chat. The node asks nobody."""
    return {"mute_all": True, "record": True, "kick": True}


def remember(memory, key, value):
    """Forgets the oldest rather than grow for ever."""
    memory[key] = value
    if len(memory) > KEPT:
        del memory[next(iter(memory))]


def is_plain(value, levels=16):
    """Whether the node can read it: one message that it could not would cut the link for ever."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return levels > 0 and all(is_plain(part, levels - 1) for part in value)
    return value is None or isinstance(value, str) or abs(value) < 2**53


def hang_up(socket, code):
    task = asyncio.create_task(socket.close(code))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def send(sockets, **event):
    """Waits for nobody: who reads too slowly is put out, and told how all stands once back."""
    for socket in sockets:
        if socket.transport.get_write_buffer_size() > 1024 * 1024:
            hang_up(socket, 1013)
    broadcast(sockets, json.dumps(event))


class Core:
    """On one side people and their sockets, on the other the node. It knows no more of calls than
    what the node tells it."""

    def __init__(self, options):
        self.options, self.pause = options, 0.25
        self.people, self.sockets = {}, {}  # by jid; by (jid, device)
        self.confirmed, self.pending = {}, {}  # events of clients: by confirm_id; by seq
        self.calls = {}  # by uid, as the node told last
        self.id, self.seq = f"c-{uuid.uuid4()}", 0  # this process's life, and its last number
        self.unacked = collections.deque(maxlen=KEPT)  # (seq, text)
        self.link, self.node, self.seen = [], "", 0  # its socket, if any; its life; what we took
        self.facts = open(options.facts, "a+b") if options.facts else tempfile.TemporaryFile()
        self.last_facts = {}  # call_seq by call_uid; a column, where there is a database
        self.read_facts()

    # The link: hello, numbers, acknowledgements.

    async def dial(self):
        headers = {"Authorization": f"Bearer {self.options.secret}"}
        node = connect(self.options.dial, additional_headers=headers, proxy=None, **SOCKET)
        while True:
            try:
                async with node as socket:
                    await self.live(socket)
            except Exception as why:  # whatever it was: calls go on, and so do we
                print(f"the link: {why!r}", file=sys.stderr)
            await asyncio.sleep(self.pause * random.uniform(0.5, 1))
            self.pause = min(2 * self.pause, 5)

    async def live(self, socket):
        """One connection, whoever dialled it, until it is cut."""
        seen = {"node": self.node, "seq": self.seen}
        hello = {"type": "hello", "version": 1, "core": self.id, "seen": seen}
        await socket.send(json.dumps(hello))
        hello = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if hello["type"] != "hello" or hello["version"] != 1:
            return await socket.close(4400)
        for former in self.link:
            hang_up(former, 4001)
        self.link, self.pause = [socket], 0.25
        self.greet(hello["node"], hello.get("seen") or {})
        try:
            async for text in socket:
                self.take(json.loads(text))
        finally:
            self.link = [other for other in self.link if other is not socket]

    def greet(self, node, seen):
        if node != self.node:  # its numbers begin anew, and it will tell of its calls
            self.node, self.seen, self.calls = node, 0, {}
        knows_us = seen.get("core") == self.id
        self.drop_taken(seen["seq"] if knows_us else 0)
        for _, text in self.unacked:
            broadcast(self.link, text, text=True)
        if not knows_us:  # nor who is here
            for whose in self.sockets:
                self.tell_presence(whose, True)

    def say(self, kind, **fields):
        """Numbered, and kept until the node has taken it: a cut link loses nothing."""
        message = {"type": kind, "seq": self.seq + 1, **fields}
        text = json.dumps(message, ensure_ascii=False).encode()
        if len(text) > MESSAGE_MAX or not is_plain(message):
            raise ValueError("the node cannot read this")
        self.seq += 1
        self.unacked.append((self.seq, text))
        broadcast(self.link, text, text=True)

    def drop_taken(self, last):
        while self.unacked and self.unacked[0][0] <= last:
            self.unacked.popleft()

    def take(self, message):
        kind, seq = message["type"], message.get("seq")
        if kind == "ack":
            self.drop_taken(seq)
        elif kind == "fact":
            self.take_fact(message)
            broadcast(self.link, json.dumps({"type": "fact_ack", "id": message["id"]}))
        elif seq is not None:
            if seq > self.seen:  # else it came again, as its acknowledgement was lost
                self.take_numbered(kind, message)
                self.seen = seq
            broadcast(self.link, json.dumps({"type": "ack", "seq": self.seen}))

    def take_numbered(self, kind, message):
        if kind == "deliver":  # who has no socket is told by the node when he comes
            to, here = message["to"], self.sockets.items()
            send([socket for key, socket in here if self.is_meant(to, *key)], **message["event"])
        elif kind == "result" and message["re"] in self.pending:
            whose, event = self.pending.pop(message["re"])
            if not message["ok"]:
                self.warn(whose, message["code"], message["message"], event)
        elif kind == "call":
            self.calls[message["uid"]] = message
            if message["finished"]:
                del self.calls[message["uid"]]
            for (jid, _), socket in self.sockets.items():
                self.tell_online(jid, socket)

    def is_meant(self, to, jid, device):
        other = to.get("others_of", {})
        return (
            {"jid": jid, "device": device} in to.get("devices", [])
            or jid in to.get("people", [])
            or (jid == other.get("jid") and device != other["device"])
            or (to.get("members") == LOBBY["jid"] and jid not in to.get("except", []))
        )

    def take_fact(self, fact):
        """Once, and on the disk before it is acknowledged. A database would take them by lots."""
        if fact["call_seq"] > self.last_facts.get(fact["call_uid"], -1):
            self.facts.write(json.dumps(fact).encode() + b"\n")
            self.facts.flush()
            os.fsync(self.facts)
            self.last_facts[fact["call_uid"]] = fact["call_seq"]

    def read_facts(self):
        whole = self.facts.seek(0)
        for line in self.facts:
            if line.endswith(b"\n"):
                fact, whole = json.loads(line), whole + len(line)
                self.last_facts[fact["call_uid"]] = fact["call_seq"]
        self.facts.truncate(whole)  # half a line was never acknowledged: it comes again

    # The clients.

    def door(self, socket, request):
        """Who comes, by the path: somebody for the page, the node, a client."""
        url = urllib.parse.urlsplit(request.path)
        if url.path == "/":
            with open(self.options.page, encoding="utf-8") as page:
                response = socket.respond(200, page.read())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "text/html; charset=utf-8"
            return response
        if url.path == "/voxhall" and not self.options.dial:
            said = request.headers.get("Authorization", "").encode(errors="replace")
            is_right = hmac.compare_digest(said, f"Bearer {self.options.secret}".encode())
            return None if is_right else socket.respond(401, "wrong secret\n")
        query = dict(urllib.parse.parse_qsl(url.query))  # no password: this is an example
        socket.visitor = query.get("name", "")[:64], query.get("device", "")[:64]
        is_client = url.path.startswith("/messaging/") and all(socket.visitor)
        return None if is_client else socket.respond(404, "not found\n")

    async def come_in(self, socket):
        with contextlib.suppress(ConnectionClosed):
            await (self.client(socket) if hasattr(socket, "visitor") else self.live(socket))

    async def client(self, socket):
        """One socket of a device, until it is lost or a newer one takes its place."""
        name, device = socket.visitor
        jid = f"d-{uuid.uuid5(uuid.NAMESPACE_URL, name)}"  # the same name is the same person
        remember(self.people, jid, {"jid": jid, "display_name": name})
        me = jid, device
        if me in self.sockets:
            hang_up(self.sockets[me], 4001)
        self.sockets[me] = socket
        hello = {"jid": jid, "lobby": LOBBY["jid"], "team": TEAM["uid"]}
        send([socket], event="example.hello", params=hello)
        self.tell_online(jid, socket)
        try:
            self.tell_presence(me, True)
            async for text in socket:
                self.take_event(me, text)
        finally:
            if self.sockets.get(me) is socket:
                del self.sockets[me]
                self.tell_presence(me, False)

    def take_event(self, me, text):
        """Confirmed at once, applied once. What is no event of a call, a ping say, ends here."""
        try:
            event = json.loads(text)
            name, params = str(event["event"]), dict(event.get("params") or {})
            confirm_id = str(event.get("confirm_id") or "")[:128]
            if name == "client.confirm":
                return  # a production core sends all else again once the device is back
            if confirm_id:
                confirm = {"confirm_id": confirm_id}
                send([self.sockets[me]], event="server.confirm", params=confirm)
                if (me, confirm_id) in self.confirmed:
                    return
                remember(self.confirmed, (me, confirm_id), True)
            if name.startswith("client.call."):
                self.pass_on(me, name, params, event)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self.warn(me, "bad_json", "this is no event", None)

    def pass_on(self, me, name, params, event):
        """To the node, with who it is and what he may there."""
        jid, device = me
        actor, chat = self.people[jid], self.chat(jid, str(params.get("jid")))
        if chat is None:
            return self.warn(me, "no_such_chat", "this is no chat of yours", event)
        what = {"rights": rights(actor, chat), "event": {"event": name, "params": params}}
        self.say("signal", team=TEAM, chat=chat, actor=actor, device=device, **what)
        remember(self.pending, self.seq, (me, event))

    def chat(self, jid, name):
        """The chat that this person calls `name`, if it is one of his."""
        if name in self.people and name != jid:
            return {"type": "direct", "people": [self.people[jid], self.people[name]]}
        return LOBBY if name == LOBBY["jid"] else None

    def tell_presence(self, whose, connected):
        who = {"jid": whose[0], "device": whose[1]}
        self.say("presence", **who, connected=connected, groups=[LOBBY["jid"]])

    def tell_online(self, jid, socket):
        """The live calls of his chats. A direct one he knows by the other one's jid."""
        calls = []
        for call in self.calls.values():
            two = call["chat"].get("direct") or [jid, call["chat"]["group"]]
            if jid in two:
                told = {key: call[key] for key in ("uid", "start", "online_count") if key in call}
                calls.append({"jid": two[two[0] == jid], **told, "call_type": "audio"})
        send([socket], event="server.online", params={"contacts": [], "calls": calls})

    def warn(self, whose, code, message, orig):
        if whose in self.sockets:
            params = {"message": message, "code": code, "orig": orig}
            send([self.sockets[whose]], event="server.warning", params=params)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True, help="HOST:PORT, where port 0 is any")
    parser.add_argument("--secret", required=True, help="what the node has as core.secret")
    parser.add_argument("--dial", help="ws://NODE/api/v3/core; without it the node dials /voxhall")
    parser.add_argument("--facts", help="where facts are kept, as JSON lines")
    parser.add_argument("--page", default=os.path.join(os.path.dirname(__file__), "page.html"))
    core, stop = Core(parser.parse_args()), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host, port = core.options.listen.rsplit(":", 1)
    async with serve(core.come_in, host, int(port), process_request=core.door, **SOCKET) as server:
        print(f"core listens on http://{host}:{server.sockets[0].getsockname()[1]}/", flush=True)
        if core.options.dial:
            tasks.add(asyncio.create_task(core.dial()))
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
