"""One onliner on aiortc: a process that joins a call, speaks a tone and says what it hears.

Commands come as JSON lines on stdin, reports go as JSON lines to stdout, so that a test in any
language can drive it. With --chat it joins at once; with --seconds it leaves and ends by itself.

Commands: {"do": "join", "chat": jid or null (Lobby), "sections": 1, "muted": false,
"trickle": false}, {"do": "tone", "hz": 440 or null}, {"do": "mute", "muted": true},
{"do": "send", "event": name, "params": {..}}, {"do": "leave"}, {"do": "quit"}.

Reports: {"is": "ready", jid, lobby}, {"is": "joined", chat}, {"is": "answer", mids},
{"is": "offer", mids} (the server's, already answered), {"is": "link", state},
{"is": "hears", mid, hz or null, level (dBov)} for every 200 ms of sound,
{"is": "event", event, params}, {"is": "left"}, {"is": "failed", why}.
"""

import argparse
import array
import asyncio
import fractions
import json
import math
import sys
import time

import aiohttp
import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

RATE = 48000
FRAME_SAMPLES = 960
# 200 ms: long enough for 5 Hz, short enough to follow a change.
REPORT_SAMPLES = 9600
AMPLITUDE = 0.3
# The share of the energy that a pure tone has at its frequency; speech stays below.
PURE = 0.6


def report(kind, **fields):
    print(json.dumps({"is": kind, **fields}), flush=True)


class Tone(MediaStreamTrack):
    """A sine of `hz`, or silence where that is None, 20 ms a frame by the wall clock."""

    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz = hz
        self.phase = 0.0
        self.frames = 0
        self.began = None

    async def recv(self):
        now = time.monotonic()
        self.began = self.began or now
        await asyncio.sleep(max(0.0, self.began + self.frames * FRAME_SAMPLES / RATE - now))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.planes[0].update(self.samples().tobytes())
        frame.sample_rate = RATE
        frame.pts = self.frames * FRAME_SAMPLES
        frame.time_base = fractions.Fraction(1, RATE)
        self.frames += 1
        return frame

    def samples(self):
        if self.hz is None:
            return array.array("h", bytes(2 * FRAME_SAMPLES))
        step = 2 * math.pi * self.hz / RATE
        first = self.phase
        self.phase = (first + FRAME_SAMPLES * step) % (2 * math.pi)
        sine = (math.sin(first + n * step) for n in range(FRAME_SAMPLES))
        return array.array("h", (int(32767 * AMPLITUDE * sample) for sample in sine))


def dominant_hz(pcm):
    """The frequency of a tone, from its zero crossings; None if the sound is no pure tone."""
    energy = sum(sample * sample for sample in pcm)
    if energy < len(pcm) * 1e-6:
        return None
    rises = [n for n in range(1, len(pcm)) if pcm[n - 1] < 0 <= pcm[n]]
    if len(rises) < 3:
        return None
    hz = (len(rises) - 1) * RATE / (rises[-1] - rises[0])
    last = before = 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE)
    for sample in pcm:
        last, before = sample + coefficient * last - before, last
    power = last * last + before * before - coefficient * last * before
    return round(hz, 1) if 2 * power / len(pcm) / energy > PURE else None


async def listen(track, mid):
    """Reports what comes in one section, until it ends."""
    heard = array.array("h")
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        channels = len(frame.layout.channels)
        samples = array.array("h", bytes(frame.planes[0])[: 2 * channels * frame.samples])
        heard.extend(samples[::channels])
        if len(heard) < REPORT_SAMPLES:
            continue
        pcm = [sample / 32768 for sample in heard[:REPORT_SAMPLES]]
        del heard[:]
        power = sum(sample * sample for sample in pcm) / len(pcm)
        level = round(max(-127.0, 10 * math.log10(power)), 1) if power else -127.0
        report("hears", mid=mid, hz=dominant_hz(pcm), level=level)


class Onliner:
    """A logged-in person with a socket and at most one call."""

    def __init__(self, socket, team, lobby, tone):
        self.socket = socket
        self.team = team
        self.lobby = lobby
        self.tone = tone
        self.chat = None
        self.peer = None
        self.tasks = set()
        self.sent = 0

    async def send(self, event, params):
        self.sent += 1
        message = {"event": event, "confirm_id": f"a{self.sent}", "params": params}
        await self.socket.send_str(json.dumps(message))

    async def join(self, chat=None, sections=1, muted=False, trickle=False):
        await self.hang_up()
        self.chat = chat or self.lobby
        # No STUN server: nothing leaves this machine.
        peer = self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.voice = Tone(self.tone)
        peer.addTrack(self.voice)
        for _ in range(sections - 1):
            peer.addTransceiver("audio", direction="recvonly")

        @peer.on("track")
        def on_track(track):
            mid = next(t.mid for t in peer.getTransceivers() if t.receiver.track is track)
            self.spawn(listen(track, mid))

        @peer.on("connectionstatechange")
        def on_state():
            report("link", state=peer.connectionState)

        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        lines = sdp.splitlines(keepends=True)
        candidates = [line[2:].strip() for line in lines if line.startswith("a=candidate:")]
        if trickle:
            kept = ("a=candidate:", "a=end-of-candidates")
            sdp = "".join(line for line in lines if not line.startswith(kept))
        offer = {"jid": self.chat, "sdp": sdp, "trickle": trickle, "muted": muted}
        offer.update(enabled_audio=not muted, enabled_video=False, call_type="audio")
        await self.send("client.call.offer", offer)
        for candidate in dict.fromkeys(candidates + [""]) if trickle else ():
            params = {"jid": self.chat, "candidate": candidate, "sdp_mline_index": 0}
            await self.send("client.call.trickle", params)
        report("joined", chat=self.chat)

    def set_tone(self, hz):
        self.tone = hz
        if self.peer:
            self.voice.hz = hz

    async def leave(self):
        await self.send("client.call.leave", {"jid": self.chat})
        await self.hang_up()
        report("left")

    async def hang_up(self):
        peer, self.peer = self.peer, None
        if peer:
            await peer.close()

    async def read(self):
        """Everything the server says, one after another: an offer of its own is taken only once
        its answer before it is applied and aiortc is stable again."""
        async for message in self.socket:
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                continue
            event = json.loads(message.data)
            if "confirm_id" in event:
                confirm = {"confirm_id": event["confirm_id"]}
                confirm = {"event": "client.confirm", "params": confirm}
                await self.socket.send_str(json.dumps(confirm))
            await self.take(event["event"], event.get("params") or {})
        report("failed", why="socket closed")

    async def take(self, name, params):
        report("event", event=name, params=params)
        if not self.peer or params.get("jid") != self.chat:
            return
        if name in ("server.call.sdp", "server.call.answer"):
            await self.apply(params)
        elif name == "server.call.leave":
            await self.hang_up()

    async def apply(self, params):
        peer, jsep = self.peer, params["jsep"]
        while jsep["type"] == "offer" and peer.signalingState != "stable":
            await asyncio.sleep(0.01)
        await peer.setRemoteDescription(RTCSessionDescription(jsep["sdp"], jsep["type"]))
        if jsep["type"] == "offer":
            await peer.setLocalDescription(await peer.createAnswer())
            answer = {"type": "answer", "sdp": peer.localDescription.sdp}
            answer = {"jid": params["jid"], "uid": params["uid"], "jsep": answer}
            await self.send("client.call.sdp", answer)
        report(jsep["type"], mids=[t.mid for t in peer.getTransceivers()])

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def obey(self, command):
        """Does one command; false once there shall be no more."""
        do = command.pop("do")
        if do == "join":
            await self.join(**command)
        elif do == "tone":
            self.set_tone(command["hz"])
        elif do == "mute":
            await self.send("client.call.sound", {"jid": self.chat, "muted": command["muted"]})
        elif do == "send":
            await self.send(command["event"], command["params"])
        elif do == "leave":
            await self.leave()
        elif do != "quit":
            raise ValueError(f"unknown command {do}")
        return do != "quit"


async def commands():
    """The lines of stdin, until it ends."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


async def obey_stdin(onliner):
    async for command in commands():
        if not await onliner.obey(command):
            return


async def live(args, session):
    body = {"display_name": args.name}
    async with session.post(f"{args.url}/api/v3/demo-login", json=body) as reply:
        login = (await reply.json())["result"]
    lobby = next(chat["jid"] for chat in login["chats"] if chat["display_name"] == "Lobby")
    team = login["team"]["uid"]
    path = f"{args.url}/messaging/{team}"
    headers = {"token": login["token"]}
    async with session.ws_connect(path, headers=headers, max_msg_size=1 << 20) as socket:
        onliner = Onliner(socket, team, lobby, args.tone)
        report("ready", jid=login["me"]["jid"], lobby=lobby)
        reading = asyncio.ensure_future(onliner.read())
        if args.chat:
            chat = None if args.chat == "lobby" else args.chat
            await onliner.join(chat, args.sections, args.muted, args.trickle)
        until = asyncio.sleep(args.seconds) if args.seconds else obey_stdin(onliner)
        until = asyncio.ensure_future(until)
        await asyncio.wait({reading, until}, return_when=asyncio.FIRST_COMPLETED)
        try:
            for ended in (until, reading):
                if ended.done():
                    # What it raised, if anything, is the end of this process.
                    ended.result()
            if onliner.peer and not reading.done():
                await onliner.leave()
        finally:
            reading.cancel()


async def main(args):
    # aioice leaves loopback addresses out; here everything is on one machine.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [args.address]
    try:
        async with aiohttp.ClientSession() as session:
            await live(args, session)
    except Exception as error:
        # Whatever it is, the test that drives this process shall read it.
        report("failed", why=repr(error))
        return 1
    return 0


def arguments():
    parser = argparse.ArgumentParser(description="one onliner on aiortc")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--name", default="aiortc")
    parser.add_argument("--chat", help="jid or 'lobby': join at once")
    parser.add_argument("--tone", type=float, metavar="HZ", help="silence if absent")
    parser.add_argument("--sections", type=int, default=1, help="m=audio sections offered")
    parser.add_argument("--muted", action="store_true")
    parser.add_argument("--trickle", action="store_true", help="candidates one by one")
    parser.add_argument("--seconds", type=float, help="end by itself; stdin is not read")
    parser.add_argument("--address", default="127.0.0.1", help="the one address to gather")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
