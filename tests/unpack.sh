# For tests/run and loadtest/versus: Debian packages unpacked, from the project's folder.
# shellcheck shell=bash

# unpack PACKAGE [with-all-it-needs]: a Debian package's files, in target/PACKAGE: not installed, as
# installing prometheus or coturn would start a server. Promtool judges metrics and rules,
# libfaketime moves a clock, coturn relays; it brings the libraries that are not installed here.
unpack() {
    local place=target/$1
    if [ ! -e "$place/usr" ]; then
        command -v apt-get >/dev/null || {
            echo "needs Debian's package $1, unpacked in $place" >&2
            exit 3
        }
        [ "$(id -u)" != 0 ] || apt-get update -qq
        rm -rf "$place"
        mkdir -p "$place"
        if [ $# = 1 ]; then
            (cd "$place" && apt-get download -qq -o APT::Sandbox::User=root "$1")
        else
            mkdir -p "$place/partial"
            apt-get install -qq --download-only --no-install-recommends -o Debug::NoLocking=1 \
                -o APT::Sandbox::User=root -o Dir::Cache::Archives="$PWD/$place" "$1" >/dev/null
        fi
        (cd "$place" && for package in *.deb; do dpkg-deb -x "$package" .; done)
    fi
    (cd "$place" && echo "$1"_*.deb)
}
