#!/bin/sh
# Print the path of a Chromium that the browser tests can drive; install Debian's through apt when there is none.
# Prints nothing, and a sentence on stderr, when there is none to be had.
set -u

find_chromium() {
    for candidate in ${CHROMIUM:-/usr/bin/chromium chromium google-chrome-stable google-chrome}; do
        if path=$(command -v "$candidate"); then
            echo "$path"
            return 0
        fi
    done
    return 1
}

apt_install() {
    [ -z "${CHROMIUM:-}" ] || return 1  # a person named one; another would not be what they meant
    command -v apt-get >/dev/null || return 1
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root="sudo -n"
    fi
    echo "Installing Debian's chromium through apt" >&2
    $as_root apt-get update -qq >&2 &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
}

find_chromium || { apt_install && find_chromium; } || {
    echo "No Chromium here${CHROMIUM:+ at $CHROMIUM}, and none was installed through apt." >&2
    exit 1
}
