#!/bin/sh
# Makes the demo's voices: six lines of one small talk, spoken by espeak-ng, as Ogg Opus.
# Needs espeak-ng, sox and opusenc (Debian: espeak-ng sox opus-tools). Run it in this folder.
# The lines are written for this project; the clips are under the project's licence.
set -eu
cd "$(dirname "$0")"

# line NAME VOICE PITCH(0-99) SPEED(words a minute) TEXT
line() {
    espeak-ng -v "$2" -p "$3" -s "$4" -w line.wav "$5"
    sox -D line.wav -r 48000 -c 1 line48.wav norm -6
    opusenc --quiet --bitrate 24 --framesize 20 --speech --discard-comments \
        --serial 1 line48.wav "$1.opus"
    rm -f line.wav line48.wav
}

line ada-1 en-gb+f3 62 160 \
    "Hello, I am Ada. Welcome to the lobby. It is a fine place for a short test."
line bruno-1 en-us+m3 28 150 \
    "Hi Ada, this is Bruno. I hear you loud and clear. Who else is on the line?"
line clara-1 en-gb-scotland+f4 88 175 \
    "Good day, Clara here. I joined a moment ago, and it sounds as if you sat beside me."
line ada-2 en-gb+f3 62 160 \
    "Lovely. We take turns, so that a newcomer can watch who is talking."
line bruno-2 en-us+m3 28 150 \
    "And if we are too chatty, press mute, or leave and come back. We will still be here."
line clara-2 en-gb-scotland+f4 88 175 \
    "Do say something yourself. Nobody here can answer, but everybody listens."
