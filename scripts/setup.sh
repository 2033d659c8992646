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

another="run make again with PYTHON=/path/to/python3.11 (or 3.12, 3.13)"
command -v "$python" >/dev/null 2>&1 || fail "no interpreter called $python" "$another"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 ||
    fail "$python is not Python 3.11 or newer; it says: $("$python" -V 2>&1 | head -n 1)" "$another"
[ -w . ] || fail "cannot write in $(pwd)" "copy this folder to a place of your own, then run make there"

# Scripts and the editable install hold the folder they were made for: elsewhere they run that folder's code.
made_for=$(sed -n 's/^command = .* -m venv //p' "$venv/pyvenv.cfg" 2>/dev/null) || made_for=
case $made_for in
    '' | "$(pwd -P)/$venv") ;;
    *) printf 'Setting up: %s was made for %s, so it is made anew\n' "$venv" "$made_for" >&2 && rm -rf "$venv" ;;
esac
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    printf 'Setting up: a virtual environment in %s with %s\n' "$venv" "$("$python" -V 2>&1)" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" ||
        fail "$python cannot make a virtual environment" "mend what it says above (Debian without the venv module: apt-get install python3-venv), then run make again"
fi

run() { # what it says is kept in memory: the disk may be full
    said=$("$@" 2>&1) || {
        printf '%s\n' "$said" | tail -n 20 >&2
        fail "setting up failed at: $*" "mend what it says above, then run make again; without a network, PIP_FIND_LINKS names a folder of wheels"
    }
}

printf 'Setting up: packages of requirements/%s.txt (pinned, with hashes)\n' "$kind" >&2
run "$venv/bin/python" -m pip install --quiet --require-hashes --no-deps -r "requirements/$kind.txt"
printf 'Setting up: modelops itself\n' >&2
run "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
run "$venv/bin/python" -m compileall -q src
printf 'Setting up: done\n' >&2
