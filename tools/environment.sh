#!/bin/sh
# Create .venv and install one requirements file: tools/environment.sh REQUIREMENTS STAMP
# The stamp is written last, so that its existence means: this very file is installed.
set -eu

requirements=$1
stamp=$2
enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14 python}; do
        if "$candidate" -c "$enough" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    tried=${PYTHON:-python3}
    found=$("$tried" --version 2>&1) || found="no working $tried"
    echo "The lab needs Python 3.11 or later, and this machine offers: $found." >&2
    echo "Install Python 3.11, or name one that is here: make run PYTHON=/path/to/python3.11" >&2
    exit 1
}

create() {
    # A Debian python3 without python3-venv has no ensurepip; its own pip can install into the new environment.
    "$1" -m venv .venv >/dev/null 2>&1 && return
    "$1" -m venv --without-pip --clear .venv
    "$1" -m pip --python .venv/bin/python install --quiet pip
}

if ! .venv/bin/python -c "$enough" >/dev/null 2>&1 || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "Creating .venv with $("$python" --version 2>&1)"
    create "$python"
fi
echo "Installing $requirements into .venv (the first time takes some minutes)"
quiet=--quiet
[ -t 1 ] && quiet=  # a person sees the progress; a log does not need it
.venv/bin/python -m pip install --disable-pip-version-check --no-input $quiet --requirement "$requirements"
rm -f "${stamp%-*}"-*
: >"$stamp"
