#!/bin/sh
# Make the virtual environment that the Makefile works in: `setup.sh VENV run|dev`.
# Everything is pinned with hashes; the user's own pip configuration (mirrors, proxies, certificates) is respected.
set -eu

venv=$1
kind=$2
python=${PYTHON:-python3}

fail() {
    printf 'error: %s\n' "$1" >&2
    printf 'hint: %s\n' "$2" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 || fail "no interpreter called $python" "make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" -V 2>&1) is too old: ModelOps needs Python 3.11 or newer" "make PYTHON=/path/to/python3.11"

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    printf 'Setting up: a virtual environment in %s with %s\n' "$venv" "$("$python" -V 2>&1)" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" ||
        fail "$python cannot make a virtual environment" "install the venv module (Debian: apt-get install python3-venv), then run make again"
fi

log=$venv/setup.log
run() {
    "$@" >>"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "setting up failed at: $*" "see $log, then run make again"
    }
}

printf 'Setting up: packages of requirements/%s.txt (pinned, with hashes)\n' "$kind" >&2
run "$venv/bin/python" -m pip install --quiet --require-hashes --no-deps -r "requirements/$kind.txt"
printf 'Setting up: modelops itself\n' >&2
run "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
run "$venv/bin/python" -m compileall -q src
printf 'Setting up: done\n' >&2
