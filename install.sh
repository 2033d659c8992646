#!/bin/sh
# Install, reinstall or remove ModelOps: the commands mops, cb and modelops-bundle, in one environment of their own.
# Touches ~/.modelops, uv's own folders and (unless told not to) the start-up files of your shells; asks nothing.
[ -z "${ZSH_VERSION:-}" ] || emulate sh
set -eu
umask 022
REPOSITORY=https://github.com/modelops/modelops.git
COMMANDS="mops cb modelops-bundle"
OLD_TOOLS="modelops-bundle modelops-calabaria calabaria modelops-contracts"
PACKAGES="modelops modelops_bundle modelops_calabaria modelops_contracts modelops_runner"
PYTHONS=">=3.11,<3.14" MIN_UV=0.8.0 UV_INSTALLER=https://astral.sh/uv/install.sh
MIN_AZ=2.31.0 AZ_SECONDS=30 LOCK_SECONDS=120 SPACE_KIB=1048576
OPEN_MARK="# >>> modelops >>>" CLOSE_MARK="# <<< modelops <<<"
NEWLINE='
'
LOG=/dev/null QUIET=0 VERBOSE=0 PURGE=0 SWITCHING=0 FAILED=0
for name in STEP RED PLAIN WARNINGS DUPLICATES REMOVED CHILD LOCKED WORK EXPECT_VERSION EXPECT_COMMIT PURGE_NAME PATH_FILES JSON DRY_RUN UNINSTALL OFFLINE; do eval "$name="; done
# Runs inside the new environment: the five packages come from it, and each belongs to one distribution.
PROBE='import importlib, os, sys
from importlib import metadata
version, *packages = sys.argv[1:]
home, owners = os.path.realpath(sys.prefix) + os.sep, metadata.packages_distributions()
for package in packages:
    place = os.path.realpath(importlib.import_module(package).__file__)
    place.startswith(home) or sys.exit(f"{package} is imported from {place}")
    set(owners[package]) == {"modelops"} or sys.exit(f"{package} belongs to {sorted(set(owners[package]))}")
found = metadata.version("modelops")
found == version or sys.exit(f"the commands say {version}, the package says {found}")'

usage() {
    cat <<EOF
usage: install.sh [options]           (each has a variable: MODELOPS_BRANCH=fix-x is --branch fix-x, MODELOPS_DRY_RUN=1 is --dry-run)
  --branch NAME       git branch to install (main)
  --ref TAG|COMMIT    exact source instead of a branch
  --from SOURCE       checkout folder, .whl file or git URL
  --offline DIR       no network: every wheel is in DIR, uv's may be
  --python REQUEST    version or interpreter within $PYTHONS
  --uv PATH           uv to use
  --bin-dir DIR       folder for the commands (uv's: mostly ~/.local/bin)
  --require-azure     no Azure CLI, or one older than $MIN_AZ, is an error
  --no-modify-path    print the line for PATH instead of writing it
  --keep-old          leave older installations in place
  --overwrite NAME    replace a foreign command of that name; it is kept as NAME.before-modelops
  --dry-run           say what would be done, change nothing
  --uninstall         remove ModelOps again
  --purge             with --uninstall: settings and caches too; asks for the folder's name (--purge=NAME answers)
  --json              the result as one JSON value on stdout
  -q, -v              say less, say more (MODELOPS_QUIET=1, MODELOPS_VERBOSE=1)
  -h, --help, --version
Exit: 0 installed and verified, 1 failed, 2 wrong usage, 3 a decision is needed or another command comes first.
EOF
}

# --- talking: everything on stderr, the JSON result on stdout ---
say() { [ "$QUIET" = 1 ] || printf '%s\n' "$*" >&2; }
step() { STEP=$2 && say "[$1/9] $2"; }
warn() {
    printf '%swarning:%s %s\n' "$RED" "$PLAIN" "$1" >&2
    WARNINGS=$WARNINGS$1$NEWLINE
}
quote() {
    line=
    for word; do
        case $word in *[!A-Za-z0-9_./:=@%+,-]* | '') word=\'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")\' ;; esac
        line=$line${line:+ }$word
    done
    printf '%s\n' "$line"
}
json_string() {
    printf '%s' "$1" | awk 'BEGIN { ORS = ""; for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i); print "\"" }
        NR > 1 { print "\\n" }
        { for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); print c ~ /["\\]/ ? "\\" c : c in code ? code[c] : c } }
        END { print "\"" }'
}
json_list() { # one text per line
    list=
    while IFS= read -r item; do [ -z "$item" ] || list=$list${list:+, }$(json_string "$item"); done
    printf '[%s]' "$list"
}
answer() { # MEMBERS: the result of the run as one JSON value, if that is wanted
    [ "$JSON" != 1 ] || printf '{"schema": "mops.install/1", %s, "warnings": %s, "duplicates": %s}\n' "$1" \
        "$(printf '%s' "$WARNINGS" | json_list)" "$(printf '%s' "$DUPLICATES" | json_list)"
}
fail() { # MESSAGE [HINT [EXIT CODE]]
    FAILED=1
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
    [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
    answer "\"error\": {\"step\": $(json_string "$STEP"), \"message\": $(json_string "$1"), \"hint\": $(json_string "${2:-}"), \"log\": $(json_string "$LOG")}"
    exit "${3:-1}"
}
misused() { fail "$1" "${2:-install.sh --help}" 2; }
show_cause() { # the last command in the log, and the end of what it said
    awk '/^[$] / { n = 0 } { line[n++] = $0 } END { for (i = 0; i < n; i++) if (i == 0 || i >= n - 20) print "  | " line[i] }' "$LOG" >&2
}
fail_logged() { show_cause && fail "$1" "${2:-the whole output is in $LOG}"; }
nearest() { # WORD, candidates on stdin
    awk -v word="$1" '{ m = length(word); n = length($0); for (j = 0; j <= n; j++) d[0, j] = j
        for (i = 1; i <= m; i++) { d[i, 0] = i; for (j = 1; j <= n; j++) { x = d[i - 1, j - 1] + (substr(word, i, 1) != substr($0, j, 1))
            if (d[i - 1, j] + 1 < x) x = d[i - 1, j] + 1; if (d[i, j - 1] + 1 < x) x = d[i, j - 1] + 1; d[i, j] = x } }
        if (best == "" || d[m, n] < low) { low = d[m, n]; best = $0 } }
        END { if (best != "" && low <= m / 2) print best }'
}
version_at_least() {
    printf '%s %s\n' "$1" "$2" | awk 'NF != 2 || $1 !~ /^[0-9]+(\.[0-9]|$)/ { exit 1 }
        { n = split($1, a, "."); m = split($2, b, "."); for (i = 1; i <= n || i <= m; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 > b[i] + 0) }'
}

# --- running other programs ---
process_start() { if [ -r "/proc/$1/stat" ]; then sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; else ps -o lstart= -p "$1"; fi 2>/dev/null || :; }
log() { printf '%s\n' "$1" >>"$LOG" 2>/dev/null || :; }
attend() { # As a child, so that a signal to us is answered at once; and known, so that a later run can wait for an orphan.
    "$@" </dev/null &
    CHILD=$! attended=0
    [ -z "$LOCKED" ] || printf '%s %s\n' "$CHILD" "$(process_start "$CHILD")" >"$LOCK/child" || :
    wait "$CHILD" || attended=$?
    CHILD=
    return "$attended"
}
run() { # Output goes to the log; a dry run only prints.
    if [ "$DRY_RUN" = 1 ]; then say "  would run: $(quote "$@")" && return 0; fi
    [ "$VERBOSE" = 0 ] || say "  $(quote "$@")"
    log "$ $(quote "$@")"
    ticker='' ran=0
    if [ "$QUIET" = 0 ] && [ -t 2 ]; then
        { waited=0 && while sleep 10 >/dev/null 2>&1; do waited=$((waited + 10)) && say "      $waited s: $1 ${2:-}"; done; } &
        ticker=$!
    fi
    attend "$@" >>"$LOG" 2>&1 || ran=$?
    [ -z "$ticker" ] || { kill -9 "$ticker" && wait "$ticker"; } 2>/dev/null || :
    return "$ran"
}
capture() { # Standard output into OUTPUT. Only for commands that change nothing: a dry run runs them too.
    log "$ $(quote "$@")"
    captured=0
    attend "$@" >"$WORK/out" 2>>"$LOG" || captured=$?
    OUTPUT=$(tr -d '\000' <"$WORK/out") && log "$OUTPUT"
    return "$captured"
}
with_uv() { # Dependencies come from the wheel folder if there is one.
    if [ -n "$OFFLINE" ]; then set -- "$@" --offline --no-index --find-links "$OFFLINE"; fi
    run "$UV" "$@"
}

# --- what is wanted ---
parse_options() {
    BRANCH_GIVEN='' REF_GIVEN='' installing=''
    for name in FROM OFFLINE PYTHON UV BIN_DIR OVERWRITE; do eval "$name=\${MODELOPS_$name:-}"; done
    for name in REQUIRE_AZURE NO_MODIFY_PATH KEEP_OLD DRY_RUN JSON QUIET VERBOSE; do
        eval "$name=\${MODELOPS_$name:-0} value=\${MODELOPS_$name:-0}"
        case $value in 0 | 1) ;; *) misused "MODELOPS_$name is $value" "set it to 1 or 0" ;; esac
    done
    for word; do [ "$word" != --json ] || JSON=1; done # what stands before it may be wrong
    while [ $# -gt 0 ]; do
        word=$1 option=${1%%=*} value='' && shift
        name=$(printf '%s' "${option#--}" | tr 'a-z-' 'A-Z_')
        case $option in
            --branch | --ref | --from | --offline | --python | --uv | --bin-dir | --overwrite)
                case $word in *=*) value=${word#*=} ;; *) if [ $# -gt 0 ]; then value=$1 && shift; fi ;; esac
                case $value in '' | -*) misused "$option needs a value" ;; esac
                case $name in BRANCH | REF) name=${name}_GIVEN ;; OVERWRITE) value="$OVERWRITE $value" ;; esac
                [ "$option" = --bin-dir ] || installing=$option
                eval "$name=\$value" && continue
                ;;
            --purge) PURGE_NAME=${word#--purge} && PURGE_NAME=${PURGE_NAME#=} word=$option ;;
        esac
        case $word in
            --require-azure | --no-modify-path | --keep-old) eval "$name=1" && installing=$word ;;
            --dry-run | --uninstall | --purge | --json) eval "$name=1" ;;
            -q) QUIET=1 ;;
            -v) VERBOSE=1 ;;
            -h | --help) usage && exit 0 ;;
            --version) printf 'install.sh 0.3.0\n' && exit 0 ;;
            *) known=$(usage | grep -o -e '--[a-z-]*' | nearest "$option") && misused "unknown option $word" "${known:+did you mean $known?}" ;;
        esac
    done
    BRANCH=$BRANCH_GIVEN REF=$REF_GIVEN
    [ -n "$BRANCH$REF" ] || BRANCH=${MODELOPS_BRANCH:-} REF=${MODELOPS_REF:-}
    [ "$PURGE" = 0 ] || [ "$UNINSTALL" = 1 ] || misused "--purge belongs to --uninstall" "install.sh --uninstall --purge"
    [ -z "$installing" ] || [ "$UNINSTALL" != 1 ] || misused "$installing is for an installation, --uninstall is none" "install.sh --uninstall"
    for name in $OVERWRITE; do case " $COMMANDS " in *" $name "*) ;; *) misused "--overwrite $name: not one of $COMMANDS" ;; esac done
}
is_checkout() { [ -d "$1/src/modelops_contracts" ] && grep -q '^name = "modelops"' "$1/pyproject.toml" 2>/dev/null; }
choose_source() { # The first that applies; nothing is fetched yet.
    choose_python
    [ -z "$BRANCH" ] || [ -z "$REF" ] || misused "a branch and a ref exclude each other" "give one of --branch and --ref"
    if [ -n "$OFFLINE" ]; then OFFLINE=$(cd "$OFFLINE" 2>/dev/null && pwd) || misused "--offline: there is no such folder"; fi
    KIND=git SOURCE=$REPOSITORY
    case $FROM in
        '') ;;
        *://*.whl) misused "--from $FROM: a wheel is taken from a file" "download it, then --from with the file" ;;
        git+* | *://*) SOURCE=${FROM#git+} ;;
        *@*:*) SOURCE=ssh://${FROM%%:*}/${FROM#*:} ;;
        *.whl)
            [ -f "$FROM" ] || misused "--from $FROM: there is no such file"
            KIND=wheel SOURCE=$(cd "$(dirname "$FROM")" && pwd)/${FROM##*/}
            ;;
        *)
            is_checkout "$FROM" || misused "--from $FROM: neither a checkout of modelops, a .whl file nor a git URL"
            KIND=checkout SOURCE=$(cd "$FROM" && pwd)
            ;;
    esac
    if [ -z "$FROM" ] && [ -n "$OFFLINE" ]; then
        KIND=wheel count=0
        for wheel in "$OFFLINE"/modelops-*.whl; do
            version=${wheel##*/modelops-} && version=${version%%-*}
            [ -f "$wheel" ] || continue
            case $version in "${REF:-$version}" | "$REF"+*) SOURCE=$wheel count=$((count + 1)) ;; esac
        done
        [ "$count" = 1 ] || misused "$count wheels of modelops ${REF:-} in $OFFLINE" "name one version by --ref, or one file by --from"
        REF=
    elif [ -z "$FROM$BRANCH$REF" ] && [ -f "$0" ] && is_checkout "$(dirname "$0")"; then
        KIND=checkout SOURCE=$(cd "$(dirname "$0")" && pwd)
    fi
    [ "$KIND" = git ] || [ -z "$BRANCH$REF" ] || misused "${BRANCH:-$REF} names a git source, but $SOURCE is none" "drop one of the two options or variables"
    [ "$KIND" = git ] || return 0
    [ -z "$OFFLINE" ] || misused "--offline does without git" "give a wheel or a checkout"
    host=${SOURCE#*://} && host=${host%%/*} secret=$host
    case $SOURCE in ssh://*) case $host in *:*@*) ;; *) secret= ;; esac ;; esac
    case $secret in *@*) misused "the source URL holds a user name or a token" "it would be stored: leave it to git's credential configuration" ;; esac
}
choose_python() {
    case $PYTHON in
        '') PYTHON=$PYTHONS ;;
        3.11 | 3.12 | 3.13 | 3.11.* | 3.12.* | 3.13.*) ;;
        *)
            found=$("$PYTHON" -I -c 'import sys; print((3, 11) <= sys.version_info[:2] < (3, 14))' </dev/null 2>/dev/null) || found=
            [ "$found" = True ] || misused "--python $PYTHON: neither a version nor an interpreter within $PYTHONS" "--python 3.12"
            PYTHON=$(command -v "$PYTHON") && case $PYTHON in /*) ;; *) PYTHON=$(pwd)/$PYTHON ;; esac
            ;;
    esac
}
set_places() {
    [ -d "${HOME:-}" ] || fail "HOME is not a folder: ${HOME:-not set}" "HOME=/your/home ./install.sh"
    START_PATH=$PATH START_FOLDER=$(pwd)
    STATE=${MODELOPS_HOME:-$HOME/.modelops} TOOLS=${UV_TOOL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/tools}
    EARLIER_BIN=$(sed -n 's/^"bin_dir": "\(.*\)",$/\1/p' "$STATE/install.json" 2>/dev/null | sed 's/\\\(["\\]\)/\1/g') || :
    [ "$UNINSTALL" != 1 ] || BIN_DIR=${BIN_DIR:-$EARLIER_BIN}
    BIN=${BIN_DIR:-${UV_TOOL_BIN_DIR:-${XDG_BIN_HOME:-${XDG_DATA_HOME:+$(dirname "$XDG_DATA_HOME")/bin}}}}
    BIN=${BIN:-$HOME/.local/bin} && BIN=${BIN%/}
    for name in STATE TOOLS BIN; do eval "case \$$name in /*) ;; *) $name=\$START_FOLDER/\$$name ;; esac"; done
    case $UV in '' | /*) ;; */*) UV=$START_FOLDER/$UV ;; *) UV=$(command -v "$UV") || UV= ;; esac
    TOOL=$TOOLS/modelops PREVIOUS=$(dirname "$TOOLS")/modelops-previous SWITCH=$STATE/switch LOCK=$STATE/install.lock
    TOOLS_REAL=$(cd "$TOOLS" 2>/dev/null && pwd -P) || TOOLS_REAL=$TOOLS
    USER_BASE=${PYTHONUSERBASE:-$HOME/.local}
    LC_ALL=C
    export LC_ALL GIT_TERMINAL_PROMPT=0 UV_TOOL_DIR="$TOOLS" UV_TOOL_BIN_DIR="$BIN" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV UV_SYSTEM_PYTHON UV_OVERRIDE PIP_TARGET PIP_PREFIX
    if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then RED=$(printf '\033[31m') PLAIN=$(printf '\033[0m'); fi
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [ -z "${SSL_CERT_FILE:-}" ] && [ -r "$file" ]; then export SSL_CERT_FILE="$file"; fi
    done
    cd / # uv must not take settings from whatever project the user stands in
}

# --- one at a time, and after a kill ---
is_alive() { [ -n "$1" ] && kill -0 "${1%% *}" 2>/dev/null && [ "${1#* }" = "$(process_start "${1%% *}")" ]; }
take_lock() {
    waited=0 unclear=0
    until mkdir "$LOCK" 2>/dev/null; do
        holder=$(cat "$LOCK/pid" 2>/dev/null) || holder=
        if is_alive "$holder" || is_alive "$(cat "$LOCK/child" 2>/dev/null)"; then
            unclear=0
        elif [ "$unclear" -ge 5 ] || { [ -n "$holder" ] && mkdir "$LOCK/takeover" 2>/dev/null && [ "$(cat "$LOCK/pid")" = "$holder" ]; }; then
            mv "$LOCK" "$LOCK.$$" && rm -rf "$LOCK.$$" && continue
        else unclear=$((unclear + 1)); fi
        [ "$((waited % 10))" != 0 ] || say "  another install.sh is at work (process ${holder%% *}); waiting since $waited s"
        [ "$waited" -lt "$LOCK_SECONDS" ] || fail "another install.sh holds $LOCK (process ${holder%% *})" "wait for it, or end it and run this again"
        sleep 1 && waited=$((waited + 1))
    done
    LOCKED=1
    printf '%s %s\n' "$$" "$(process_start "$$")" >"$LOCK/pid" || [ "$UNINSTALL" = 1 ] # on a full disk that makes room
}
finish() { # at every exit
    finished=${SIGNALLED:-$?}
    set +e
    trap - EXIT INT TERM HUP
    if [ "$finished" -ge 129 ]; then
        say "interrupted during $STEP"
    elif [ "$finished" != 0 ] && [ "$FAILED" = 0 ]; then # a program of the system failed: what it said stands above
        (fail "step $STEP failed" "the whole output is in $LOG; then run install.sh again")
    fi
    [ -z "$CHILD" ] || { kill "$CHILD" && wait "$CHILD"; } 2>/dev/null || :
    [ "$SWITCHING" = 0 ] || restore_previous
    [ -z "$WORK" ] || rm -rf "$WORK"
    [ -z "$LOCKED" ] || rm -rf "$LOCK"
    exit "$finished"
}
link_commands() { # whichever is gone, or dangles
    for name in $COMMANDS; do [ -e "$BIN/$name" ] || [ ! -x "$TOOL/bin/$name" ] || ln -sf "$TOOL/bin/$name" "$BIN/$name"; done
}
restore_previous() {
    if [ -d "$PREVIOUS" ]; then
        rm -rf "$TOOL" && mv "$PREVIOUS" "$TOOL"
    elif [ ! -e "$SWITCH/had-tool" ]; then rm -rf "$TOOL"; fi
    folder=$(cat "$SWITCH/bin" 2>/dev/null) || folder=$BIN
    for name in $COMMANDS; do
        find_owner "$folder/$name"
        [ "$OWNER" != ours ] || rm -f "$folder/$name"
        if [ -e "$SWITCH/$name.aside" ]; then
            [ -e "$folder/$name" ] || [ ! -e "$folder/$name.before-modelops" ] || mv "$folder/$name.before-modelops" "$folder/$name"
        elif [ -h "$SWITCH/$name" ] || [ -e "$SWITCH/$name" ]; then
            [ -e "$folder/$name" ] || cp -Pp "$SWITCH/$name" "$folder/$name"
        fi
    done
    rm -rf "$SWITCH" && SWITCHING=0
}
check_system() {
    case $(uname -s) in
        Linux | Darwin) ;;
        MINGW* | MSYS* | CYGWIN*) fail "Windows itself is not supported" "install WSL (wsl --install) and run this inside it" ;;
        *) fail "$(uname -s) is not supported, only Linux and macOS" ;;
    esac
    for name in awk cat chmod cmp cp cut date df dirname find grep head id ln mkdir mktemp mv readlink rm rmdir sed sleep sort tail tr; do
        command -v "$name" >/dev/null || fail "the program $name is missing"
    done
    [ "$(id -u)" != 0 ] || [ "${SUDO_USER:-root}" = root ] || [ -n "$(find "$HOME" -prune -user 0)" ] ||
        fail "sudo with the home of $SUDO_USER: the files would belong to root" "run it without sudo"
    absent=''
    for folder in "$STATE" "$BIN" "$TOOLS" "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}"; do
        while [ ! -d "$folder" ]; do
            if [ -e "$folder" ] || [ -h "$folder" ]; then fail "$folder is not a folder" "move it away, or choose another place (MODELOPS_HOME, UV_TOOL_DIR, --bin-dir)"; fi
            absent=$absent$folder$NEWLINE && folder=$(dirname "$folder")
        done
        { [ -w "$folder" ] && [ -x "$folder" ]; } || fail "cannot write in $folder" "choose another place (HOME, MODELOPS_HOME, UV_TOOL_DIR, UV_CACHE_DIR, --bin-dir) or change its permissions"
        free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
        [ "$UNINSTALL" = 1 ] || [ "${free:-0}" -ge "$SPACE_KIB" ] || fail "only $((free / 1024)) MiB free in $folder" "free 1 GiB there"
    done
    if [ "$DRY_RUN" = 1 ]; then
        WORK=$(mktemp -d) && LOG=$WORK/log
        [ ! -d "$SWITCH" ] || say "  would repair what a killed run left in $TOOL"
        return 0
    fi
    mkdir -p "$STATE/logs" && take_lock
    rm -rf "$STATE"/stage.* "$STATE"/install.lock.* "$STATE/switch.new"
    WORK=$STATE/stage.$$ LOG=$STATE/logs/install-$(date -u +%Y%m%dT%H%M%SZ).log
    mkdir "$WORK" && (umask 077 && : >>"$LOG")
    [ "$UNINSTALL" = 1 ] || { printf '#!/bin/sh\n' >"$WORK/try" && chmod 755 "$WORK/try" && "$WORK/try" 2>/dev/null; } || fail "no program may run in $STATE" "its disk is mounted noexec, or full: choose another place (HOME, MODELOPS_HOME)"
    [ "$UNINSTALL" = 1 ] || printf '%s' "$absent" >>"$STATE/created-folders"
    if [ -d "$SWITCH" ] || [ -d "$PREVIOUS" ]; then
        say "  a run was killed while it exchanged the installation: repairing"
        if { [ -d "$PREVIOUS" ] || [ ! -e "$SWITCH/had-tool" ]; } && [ -f "$TOOL/uv-receipt.toml" ] && self_test "$TOOL"; then link_commands && rm -rf "$SWITCH" "$PREVIOUS"; else restore_previous; fi
    fi
}
check_az_version() {
    found='' advice="az upgrade"
    if ! command -v az >/dev/null; then
        problem="no Azure CLI (az)" advice="https://aka.ms/InstallAzureCLI"
        if command -v brew >/dev/null; then advice="brew install azure-cli"; elif command -v apt-get >/dev/null; then advice="sudo apt-get install azure-cli"; fi
    else
        { az version --query '"azure-cli"' -o tsv </dev/null >"$WORK/az" 2>>"$LOG" || : >"$WORK/az.bad" && : >"$WORK/az.done"; } &
        end=$(($(date +%s) + AZ_SECONDS)) CHILD=$!
        until [ -e "$WORK/az.done" ] || [ "$(date +%s)" -ge "$end" ]; do sleep 0.1 2>/dev/null || sleep 1; done
        [ ! -e "$WORK/az.done" ] || [ -e "$WORK/az.bad" ] || found=$(head -n 1 "$WORK/az")
        kill "$CHILD" 2>/dev/null || :
        CHILD=
        if version_at_least "$found" "$MIN_AZ"; then say "  az $found" && return 0; fi
        problem="the Azure CLI (az) does not tell its version"
        case $found in [0-9]*) problem="the Azure CLI (az) is $found, older than $MIN_AZ" ;; esac
    fi
    [ "$REQUIRE_AZURE" = 0 ] || fail "$problem, but --require-azure is given" "$advice"
    warn "$problem: needed only for clusters on Azure ($advice)"
}
good_uv() { [ -n "$1" ] && [ -x "$1" ] && capture "$1" --version && version_at_least "$(printf '%s' "$OUTPUT" | cut -d ' ' -f 2)" "$MIN_UV"; }
install_uv() {
    if [ -n "$UV" ]; then
        good_uv "$UV" || fail "$UV is not uv $MIN_UV or newer" "leave --uv and MODELOPS_UV out: install.sh finds or fetches one"
    else
        for candidate in "$(command -v uv || :)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" "${XDG_BIN_HOME:+$XDG_BIN_HOME/uv}" "$STATE/uv/uv"; do
            if good_uv "$candidate"; then UV=$candidate && break; fi
        done
    fi
    if [ -z "$UV" ]; then
        UV=$STATE/uv/uv fetched=$WORK/uv
        if [ "$DRY_RUN" = 1 ]; then say "  would fetch a private uv into $STATE/uv" && return 0; fi
        mkdir "$fetched" && causes=''
        for way in wheel installer pip; do
            ! "fetch_uv_$way" || ! good_uv "$fetched/uv" || break
            causes="$causes$NEWLINE  $way: $(tail -n 1 "$LOG")"
        done
        [ -x "$fetched/uv" ] || fail "no uv $MIN_UV or newer, and none could be fetched:$causes" "install uv $MIN_UV or newer, or give --uv PATH; the whole output is in $LOG"
        rm -rf "$STATE/uv" && mv "$fetched" "$STATE/uv"
    fi
    say "  $("$UV" --version) at $UV"
    [ -z "${UV_NO_CACHE:-}" ] || warn "UV_NO_CACHE is set: what was tested is downloaded once more"
}
fetch_uv_wheel() {
    [ -n "$OFFLINE" ] || because "only with --offline DIR" || return 1
    for wheel in "$OFFLINE"/uv-*.whl; do
        [ -f "$wheel" ] || because "there is none in $OFFLINE" || return 1
        find_program python3 && run python3 -m zipfile -e "$wheel" "$WORK/wheel" && cp "$WORK"/wheel/uv-*/scripts/uv "$fetched/uv" && chmod 755 "$fetched/uv" && return 0
    done
    return 1
}
fetch_uv_installer() {
    [ -z "$OFFLINE" ] || because "not tried: --offline" || return 1
    { find_program curl && run curl -fsSL --retry 2 -o "$WORK/uv.sh" "$UV_INSTALLER"; } ||
        { command -v wget >/dev/null && run wget -O "$WORK/uv.sh" "$UV_INSTALLER"; } || return 1
    case $(tail -n 1 "$WORK/uv.sh") in *'"$@"'*) ;; *) because "what was downloaded is not complete" || return 1 ;; esac
    run env UV_UNMANAGED_INSTALL="$fetched" sh "$WORK/uv.sh"
}
fetch_uv_pip() {
    [ -z "$OFFLINE" ] || because "not tried: --offline" || return 1
    find_program python3 && run python3 -m venv "$WORK/pip" && run "$WORK/pip/bin/python" -m pip install --quiet "uv>=$MIN_UV" && cp "$WORK/pip/bin/uv" "$fetched/uv"
}
find_program() { command -v "$1" >/dev/null || because "there is no $1"; }

# --- whose is it ---
is_known() { case " modelops $OLD_TOOLS " in *" $1 "*) ;; *) return 1 ;; esac }
is_ours() { # NAME SITE-PACKAGES...: the name modelops alone proves nothing, a stranger's package on the public index has it
    [ "$1" = modelops ] || { is_known "$1" && return 0; } || return 1
    shift
    for packages in "$@"; do
        for info in "$packages"/modelops-[0-9]*.dist-info; do
            [ -d "$info" ] || continue
            grep -qs -e '^Requires-Dist: modelops[-_]' -e '^modelops_contracts/' -e "${REPOSITORY%.git}" \
                "$info/METADATA" "$info/RECORD" "$info/direct_url.json"
            return
        done
    done
}
sha256() { { sha256sum "$1" || shasum -a 256 "$1"; } 2>/dev/null | cut -d ' ' -f 1; }
receipt_entry() { printf '"path": %s, "sha256": "%s"' "$(json_string "$1")" "$(sha256 "$1")"; }
in_receipt() { [ -f "$STATE/install.json" ] && grep -qF -e "$(receipt_entry "$1")" "$STATE/install.json"; } # and unchanged since
find_owner() {                                                                                              # FILE: sets OWNER (none, ours, other), OWNED_BY and REMEDY
    OWNER=other OWNED_BY=unknown REMEDY="rm $(quote "$1")"
    if [ -h "$1" ]; then
        points=$(readlink "$1")
    elif [ ! -e "$1" ]; then
        OWNER=none && return 0
    elif [ ! -f "$1" ]; then
        OWNED_BY="not a file" REMEDY="rm -r $(quote "$1")" && return 0
    else points=$(head -n 2 "$1" | tr -d '\000' | sed -n -e '1s/^#! *//p' -e "2s/^'''exec' [\"']\(.*\)[\"'] \"\$0\".*/\1/p" | tail -n 1); fi
    case $points in */../*) return 0 ;; esac
    if [ -f "$1" ] && in_receipt "$1"; then OWNER=ours OWNED_BY="our receipt" && return 0; fi
    for manager in "$TOOLS" "$TOOLS_REAL" "${PIPX_HOME:-$HOME/.local/pipx}/venvs" "$HOME/.local/share/pipx/venvs" "$HOME/Library/Application Support/pipx/venvs"; do
        case $points in "$manager"/*/*) ;; *) continue ;; esac
        owner=${points#"$manager"/} && owner=${owner%%/*}
        OWNED_BY="pipx $owner" REMEDY="pipx uninstall $owner"
        case $manager in
            "$TOOLS" | "$TOOLS_REAL") OWNED_BY="uv tool $owner" REMEDY="uv tool uninstall $owner" && ! is_known "$owner" || OWNER=ours ;;
            *) ! is_ours "$owner" "$manager/$owner"/lib/python3*/site-packages || OWNER=ours ;;
        esac
        return 0
    done
    [ "$(dirname "$1")" = "$USER_BASE/bin" ] || return 0
    for record in "$USER_BASE"/lib/python3*/site-packages/*.dist-info/RECORD; do
        grep -qs "^\.\./\.\./\.\./bin/${1##*/}," "$record" || continue
        read_distribution "${record%/RECORD}"
        OWNED_BY="pip --user $dist" REMEDY="$interpreter -m pip uninstall $dist"
        ! is_ours "$dist" "$site" || OWNER=ours
    done
}
read_distribution() { # DIST-INFO: sets dist, site, interpreter
    site=$(dirname "$1") dist=${1##*/} && dist=$(printf '%s' "${dist%%-*}" | tr 'A-Z_' 'a-z-')
    interpreter=${site%/site-packages} && interpreter=python${interpreter##*python}
}
explain_owner() { # FILE that is not ours: more about it
    find_owner "$1"
    if [ "$OWNED_BY" != unknown ]; then return 0; fi
    place=$(dirname "$1") && target=$(readlink "$1" 2>/dev/null) || target=$1
    if [ -d "$place/../conda-meta" ]; then
        OWNED_BY="conda environment ${place%/bin}" REMEDY="conda list -p $(quote "${place%/bin}")"
    elif [ -f "$place/../pyvenv.cfg" ]; then
        OWNED_BY="virtual environment ${place%/bin}" REMEDY="$(quote "$place/python") -m pip list"
    else
        case $target in */Cellar/*) target=${target#*/Cellar/} && OWNED_BY="brew ${target%%/*}" REMEDY="brew uninstall ${target%%/*}" && return 0 ;; esac
        if package=$(dpkg -S "$1" 2>/dev/null); then
            OWNED_BY="Debian package ${package%%:*}" REMEDY="sudo apt-get remove ${package%%:*}"
        elif package=$(rpm -qf "$1" 2>/dev/null); then
            OWNED_BY="package $package" REMEDY="sudo dnf remove $package"
        fi
    fi
}
inspect_installations() { # read only
    OLD_UV='' OLD_PIPX='' OLD_PIP='' ASIDE='' foreign='' named=''
    for name in modelops $OLD_TOOLS; do
        [ "$name" = modelops ] || [ ! -d "$TOOLS/$name" ] || OLD_UV="$OLD_UV $name"
        for folder in "${PIPX_HOME:-$HOME/.local/pipx}/venvs" "$HOME/.local/share/pipx/venvs" "$HOME/Library/Application Support/pipx/venvs"; do
            [ ! -d "$folder/$name" ] || ! is_ours "$name" "$folder/$name"/lib/python3*/site-packages || OLD_PIPX="$OLD_PIPX $name"
        done
    done
    for folder in "$USER_BASE"/lib/python3*/site-packages/*.dist-info "$HOME"/Library/Python/3.*/lib/python/site-packages/*.dist-info; do
        read_distribution "$folder"
        ! is_known "$dist" || ! is_ours "$dist" "$site" || OLD_PIP="$OLD_PIP $interpreter:$dist"
    done
    [ -z "$OLD_UV$OLD_PIPX$OLD_PIP" ] || say "  older installations:${OLD_UV:+ uv tools$OLD_UV;}${OLD_PIPX:+ pipx$OLD_PIPX;}${OLD_PIP:+ pip --user$OLD_PIP}"
    for name in $COMMANDS; do
        explain_owner "$BIN/$name"
        [ "$OWNER" = other ] || continue
        case " $OVERWRITE " in
            *" $name "*) [ ! -e "$BIN/$name.before-modelops" ] || fail "$BIN/$name.before-modelops is there already" "move one of the two away" 3 && ASIDE="$ASIDE $name" ;;
            *) foreign="$foreign $BIN/$name ($OWNED_BY)" named="$named --overwrite $name" ;;
        esac
    done
    [ -z "$foreign" ] || fail "not ours and in the way:$foreign" "install.sh$named (kept as NAME.before-modelops), or --bin-dir DIR for another folder" 3
}

# --- the new one: stage it, switch to it ---
resolve_source() { # A folder per run: nothing stale comes from uv's cache, where the files of installations are linked to
    built=$STATE/dist/$(date -u +%Y%m%dT%H%M%SZ)-$$
    case $KIND in
        git) resolve_git ;;
        wheel) run mkdir -p "$built" && run cp "$SOURCE" "$built/" && REQUIREMENT=$built/${SOURCE##*/} ;;
        checkout)
            EXPECT_COMMIT=$(git -C "$SOURCE" rev-parse HEAD 2>/dev/null) || EXPECT_COMMIT=
            with_uv build --wheel --out-dir "$built" "$SOURCE" || fail_logged "the wheel of $SOURCE could not be built"
            for wheel in "$built"/modelops-*.whl; do REQUIREMENT=$wheel; done
            ;;
    esac
    if [ "$KIND" != git ]; then EXPECT_VERSION=${REQUIREMENT##*/modelops-} && EXPECT_VERSION=${EXPECT_VERSION%%-*}; fi
    say "  source: $KIND $SOURCE${EXPECT_COMMIT:+ at $EXPECT_COMMIT}"
}
resolve_git() {
    command -v git >/dev/null || fail "git is missing" "install it (Debian: sudo apt-get install git; macOS: xcode-select --install), or give a wheel by --from"
    ssh=${GIT_SSH_COMMAND:-$(git config core.sshCommand)} || ssh=
    [ -n "${GIT_SSH:-}" ] || export GIT_SSH_COMMAND="${ssh:-ssh} -oBatchMode=yes" # it would ask on the terminal
    wanted=${BRANCH:-${REF:-main}}
    if printf '%s\n' "$REF" | grep -Eq '^[0-9a-f]{40}$'; then
        EXPECT_COMMIT=$REF
    else
        capture git ls-remote "$SOURCE" || fail_logged "cannot read $SOURCE" "$([ -n "$FROM" ] ||
            printf 'if you have it elsewhere: --from URL, checkout or wheel (or MODELOPS_FROM); ')a private repository needs git's credentials for ${host##*@}"
        listed=$OUTPUT
        branch=$(printf '%s\n' "$listed" | awk -v "name=refs/heads/$wanted" '$2 == name { print $1 }')
        tag=$(printf '%s\n' "$listed" | awk -v "name=refs/tags/$wanted" '$2 == name && !found { found = $1 } $2 == name "^{}" { found = $1 } END { print found }')
        if [ -n "$branch" ] && [ -n "$tag" ]; then misused "$wanted is a branch and a tag" "--ref $branch (the branch) or --ref $tag (the tag)"; fi
        EXPECT_COMMIT=$branch$tag
        [ -n "$EXPECT_COMMIT" ] || fail "no branch or tag $wanted in $SOURCE" "nearest: $(printf '%s\n' "$listed" | sed -n 's,.*refs/[a-z]*/\([^^]*\)$,\1,p' | nearest "$wanted")"
    fi
    REQUIREMENT="modelops @ git+$SOURCE@$EXPECT_COMMIT"
}
self_test() { # PREFIX: sets VERSION, COMMIT; what is wrong is at the end of the log
    VERSION=''
    for name in $COMMANDS; do
        capture "$1/bin/$name" --version || return 1
        VERSION=${VERSION:-${OUTPUT#"$name "}}
        agree "$name --version" "$OUTPUT" "$name $VERSION" || return 1
    done
    capture "$1/bin/mops" version --json || return 1
    VERSION=$(read_json version "$OUTPUT") COMMIT=$(read_json commit "$OUTPUT")
    agree version "$VERSION" "${EXPECT_VERSION:-$VERSION}" && agree commit "$COMMIT" "${EXPECT_COMMIT:-$COMMIT}" || return 1
    # shellcheck disable=SC2086 # a list of names
    capture "$1/bin/python" -I -c "$PROBE" "$VERSION" $PACKAGES
}
agree() { [ "$2" = "$3" ] || because "$1 is \"$2\" instead of \"$3\""; } # WHAT FOUND EXPECTED
because() { log "$1" && return 1; }
read_json() { printf '%s' "$2" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }
stage() {
    with_uv venv --quiet --python "$PYTHON" "$WORK/venv" || fail_logged "no environment with Python $PYTHON could be made"
    with_uv pip install --python "$WORK/venv/bin/python" "$REQUIREMENT" || fail_logged "the new version could not be installed; nothing was changed"
    [ "$DRY_RUN" = 1 ] || self_test "$WORK/venv" || fail_logged "the new version fails its self-test; nothing was changed"
}
install_modelops() { # uv removes the old tool before it builds the new one: so ours is renamed away until the new one has proved itself
    if [ "$DRY_RUN" != 1 ]; then
        mkdir -p "$TOOLS" "$BIN" "$STATE/switch.new" && printf '%s\n' "$BIN" >"$STATE/switch.new/bin"
        [ ! -e "$TOOL" ] || : >"$STATE/switch.new/had-tool"
        for name in $COMMANDS; do
            case " $ASIDE " in *" $name "*) : >"$STATE/switch.new/$name.aside" && continue ;; esac
            if [ -h "$BIN/$name" ] || [ -e "$BIN/$name" ]; then cp -Pp "$BIN/$name" "$STATE/switch.new/$name"; fi
        done
        mv "$STATE/switch.new" "$SWITCH" && SWITCHING=1
    fi
    [ ! -e "$TOOL" ] || run mv "$TOOL" "$PREVIOUS"
    for name in $ASIDE; do run mv "$BIN/$name" "$BIN/$name.before-modelops"; done
    if [ -n "$OFFLINE" ]; then set --; else set -- --offline; fi # what was staged is in uv's cache
    with_uv tool install --force "$@" --python "$PYTHON" "$REQUIREMENT" ||
        { [ -z "$OFFLINE" ] && run "$UV" tool install --force --python "$PYTHON" "$REQUIREMENT"; } ||
        undo "uv could not install the new version"
    [ "$DRY_RUN" = 1 ] || self_test "$TOOL" || undo "the installed version fails its self-test"
    SWITCHING=0
}
undo() {
    show_cause
    restore_previous
    kept="nothing was installed before, and nothing is now"
    [ ! -e "$TOOL" ] || kept="the previous installation was put back, but it does not run either"
    [ ! -e "$TOOL" ] || ! capture "$BIN/mops" --version || kept="your previous installation works ($OUTPUT)"
    fail "$1; $kept" "the whole output is in $LOG"
}
remove() { # WHAT COMMAND...: a removal that fails is no reason to stop
    what=$1 && shift
    if run "$@"; then
        say "  removed: $what" && REMOVED=$REMOVED$what$NEWLINE
        [ "$DRY_RUN" = 1 ] || link_commands # uv also takes links that lead elsewhere by now
    else warn "$what resists: $(quote "$@")"; fi
}
pip_may_remove() { capture "$1" -I -c 'import os, sys, sysconfig; sys.exit(os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")))'; }
cleanup_old_installations() {
    [ "$KEEP_OLD" = 0 ] || { OLD_UV='' OLD_PIPX='' OLD_PIP='' && say "  older installations are left in place"; }
    for old in $OLD_UV; do remove "uv tool $old ($TOOLS/$old)" "$UV" tool uninstall "$old"; done
    for old in $OLD_PIPX; do remove "pipx $old" pipx uninstall "$old"; done
    for old in $OLD_PIP; do
        interpreter=${old%%:*} old=${old#*:}
        if pip_may_remove "$interpreter"; then
            remove "pip --user $old ($interpreter)" "$interpreter" -m pip uninstall -y "$old"
        else
            warn "pip --user $old is left to you ($interpreter is managed by the system): $interpreter -m pip uninstall --break-system-packages $old, then install.sh again"
        fi
    done
    [ "$KEEP_OLD" = 1 ] || for folder in "$BIN" "$HOME/.local/bin" "$EARLIER_BIN"; do
        [ -n "$folder" ] || continue
        for file in "$folder"/*; do
            case " $COMMANDS calabaria " in *" ${file##*/} "*) ;; *) [ -h "$file" ] || continue ;; esac
            [ "$folder" != "$BIN" ] || ! same_file "$file" "$TOOL/bin/${file##*/}" || continue
            find_owner "$file"
            [ "$OWNER" != ours ] || remove "$file ($OWNED_BY)" rm -f "$file"
        done
    done
    if [ "$DRY_RUN" = 1 ]; then return 0; fi
    for name in $COMMANDS; do same_file "$BIN/$name" "$TOOL/bin/$name" || fail "$BIN/$name does not lead to $TOOL" "run install.sh again"; done
    rm -rf "$SWITCH" && rm -rf "$PREVIOUS"
    for folder in "$STATE"/dist/*; do case $REQUIREMENT in "$folder"/*) ;; *) rm -rf "$folder" ;; esac done
}
# shellcheck disable=SC3013 # -ef is in POSIX since 2024, and in every shell we test
same_file() { [ "$1" -ef "$2" ]; }

# --- PATH ---
follow_links() {
    FOLLOWED=$1 hops=0
    while [ -h "$FOLLOWED" ] && [ "$hops" -lt 40 ]; do
        target=$(readlink "$FOLLOWED") hops=$((hops + 1))
        case $target in /*) FOLLOWED=$target ;; *) FOLLOWED=$(dirname "$FOLLOWED")/$target ;; esac
    done
}
rewrite_file() { # FILE LINE: our block with LINE in place of any old one; no LINE: without it
    follow_links "$1"
    mkdir -p "$(dirname "$FOLLOWED")"
    { [ ! -e "$FOLLOWED" ] || cat "$FOLLOWED"; } | LINE=$2 OPEN=$OPEN_MARK CLOSE=$CLOSE_MARK awk '
        function block() { if (ENVIRON["LINE"] != "" && !done++) print ENVIRON["OPEN"] "\n" ENVIRON["LINE"] "\n" ENVIRON["CLOSE"] }
        { text = $0; sub(/\r$/, "", text) }
        text == ENVIRON["OPEN"] { printf "%s", held; held = ""; inside = 1; next }
        inside && text == ENVIRON["CLOSE"] { block(); held = ""; inside = 0; next }
        inside { held = held $0 "\n"; next }
        { print }
        END { printf "%s", held; block() }' >"$WORK/file"
    if cmp -s "$WORK/file" "$FOLLOWED"; then return 0; fi
    if [ -e "$FOLLOWED" ] && [ ! -w "$FOLLOWED" ]; then warn "$1 cannot be written${2:+; add this line yourself: $2}" && return 0; fi
    [ -e "$FOLLOWED" ] || printf '%s\n' "$1" >>"$STATE/created-files"
    if [ ! -s "$WORK/file" ] && grep -qsxF -e "$1" "$STATE/created-files"; then rm -f "$FOLLOWED" && return 0; fi
    if [ -e "$FOLLOWED" ]; then cp -p "$FOLLOWED" "$FOLLOWED.modelops-new"; fi
    cat "$WORK/file" >"$FOLLOWED.modelops-new" && mv "$FOLLOWED.modelops-new" "$FOLLOWED"
}
configure_path() {
    case $STATE in "$HOME/.modelops") where="\"\$HOME/.modelops" ;; *) where="\"$(printf '%s' "$STATE" | sed 's/[\\"$`]/\\&/g')" ;; esac
    PATH_LINE=". $where/env\"" ON_PATH=1
    case ${SHELL:-} in
        */fish) PATH_LINE="source $where/env.fish\"" ;;
        */csh | */tcsh) PATH_LINE="set path = ($(quote "$BIN") \$path)" ;;
    esac
    case :$START_PATH: in *:"$BIN":* | *:"$BIN"/:*) [ -e "$STATE/env" ] || return 0 ;; *) ON_PATH=0 ;; esac
    if [ "$DRY_RUN" = 1 ] || [ "$NO_MODIFY_PATH" = 1 ]; then
        [ "$ON_PATH" = 1 ] || say "  $BIN is not on PATH; add to your shell's start-up file: export PATH=$(quote "$BIN"):\"\$PATH\""
        return 0
    fi
    bin=$(quote "$BIN")
    # shellcheck disable=SC2016 # the shell that reads the file expands these
    printf '# Made by install.sh: the commands of ModelOps on PATH, once.\ncase ":${PATH-}:" in\n    *:%s:*) ;;\n    *) export PATH=%s"${PATH:+:$PATH}" ;;\nesac\n' "$bin" "$bin" >"$STATE/env"
    bin=$(printf '%s' "$BIN" | sed "s/[\\\\']/\\\\&/g")
    printf "# Made by install.sh: the commands of ModelOps on PATH, once.\ncontains -- '%s' \$PATH; or set -gx PATH '%s' \$PATH\n" "$bin" "$bin" >"$STATE/env.fish"
    [ "$ON_PATH" = 0 ] || return 0
    list_start_files
    for file in "$HOME/.profile" "$HOME/.bashrc" "$HOME/.bash_profile" "$HOME/.bash_login" "$zshrc" "$fish"; do
        case $file in
            */.profile) ;;
            */.bashrc) case ${SHELL:-bash} in *bash) ;; *) [ -e "$file" ] || continue ;; esac ;;
            */.zshrc) case ${SHELL:-} in *zsh) ;; *) [ -e "$file" ] || continue ;; esac ;;
            *.fish) [ -d "${file%/conf.d/*}" ] || command -v fish >/dev/null || continue ;;
            *) [ -e "$file" ] || continue ;;
        esac
        case $file in *.fish) rewrite_file "$file" "source $where/env.fish\"" ;; *) rewrite_file "$file" ". $where/env\"" ;; esac
        PATH_FILES=$PATH_FILES$file$NEWLINE
    done
    say "  $BIN on PATH by: $(printf '%s' "$PATH_FILES" | tr '\n' ' ' | sed 's/ $//')"
    case $PATH_LINE in "set path"*) warn "$SHELL reads none of these files; add to ~/.cshrc: $PATH_LINE" ;; esac
    if [ -n "${GITHUB_PATH:-}" ] && ! grep -qsxF -e "$BIN" "$GITHUB_PATH"; then printf '%s\n' "$BIN" >>"$GITHUB_PATH"; fi
}
list_start_files() { zshrc=${ZDOTDIR:-$HOME}/.zshrc fish=${XDG_CONFIG_HOME:-$HOME/.config}/fish/conf.d/modelops.fish; }

# --- proof ---
verify_installation() {
    shadowed='' search=$START_PATH:
    [ "$ON_PATH" = 1 ] || [ "$NO_MODIFY_PATH" = 1 ] || search=$BIN:$search
    for name in $COMMANDS; do
        rest=$search first=''
        while [ -n "$rest" ]; do
            folder=${rest%%:*} rest=${rest#*:}
            case $folder in /*) ;; *) folder=$START_FOLDER/$folder ;; esac
            file=${folder%/}/$name
            { [ -f "$file" ] && [ -x "$file" ]; } || continue
            if [ "$folder" = "$BIN" ] || same_file "$file" "$TOOL/bin/$name"; then first=${first:-ours} && continue; fi
            explain_owner "$file"
            [ "$DRY_RUN" != 1 ] || [ "$OWNER" != ours ] || [ "$KEEP_OLD" = 1 ] || continue
            case $NEWLINE$DUPLICATES in *"$NEWLINE$file "*) continue ;; esac
            DUPLICATES="$DUPLICATES$file ($OWNED_BY; removed by: $REMEDY)$NEWLINE"
            [ -n "$first" ] || { first=$file && shadowed="$shadowed${shadowed:+,} \`$name\` runs $file ($OWNED_BY)"; }
        done
    done
    [ -z "$DUPLICATES" ] || say "also on PATH:$NEWLINE$(printf '%s' "$DUPLICATES" | sed 's/^/  /')"
    if [ "$DRY_RUN" != 1 ]; then
        self_test "$TOOL" || fail_logged "the installed version fails its self-test"
        capture env PATH="$BIN:$START_PATH" "$BIN/mops" doctor --install --json || fail_logged "mops doctor --install found a fault" "$BIN/mops doctor"
        write_receipt
    fi
    [ -z "$shadowed" ] || fail "installed, but$shadowed" "remove what comes first as said above, or put $BIN first on PATH" 3
}
write_receipt() {
    entries=''
    for name in $COMMANDS; do entries="$entries${entries:+, }{\"name\": \"$name\", $(receipt_entry "$BIN/$name")}"; done
    overwritten=$(for name in $COMMANDS; do [ ! -e "$BIN/$name.before-modelops" ] || printf '%s\n' "$BIN/$name.before-modelops"; done)
    private=false && case $UV in "$STATE"/*) private=true ;; esac
    {
        printf '{"schema": "mops.install/1",\n"version": "%s",\n"commit": "%s",\n"source": %s,\n"method": "uv-tool",\n' "$VERSION" "$COMMIT" "$(json_string "$KIND $SOURCE")"
        printf '"uv": {"path": %s, "version": %s, "private": %s},\n' "$(json_string "$UV")" "$(json_string "$("$UV" --version)")" "$private"
        printf '"python": %s,\n"bin_dir": %s,\n"commands": [%s],\n' "$(json_string "$("$TOOL/bin/python" -V)")" "$(json_string "$BIN")" "$entries"
        printf '"removed": %s,\n"overwritten": %s,\n' "$(printf '%s' "$REMOVED" | json_list)" "$(printf '%s\n' "$overwritten" | json_list)"
        printf '"path_files": %s,\n"at": "%s"' "$(printf '%s' "$PATH_FILES" | json_list)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    } >"$WORK/receipt"
    (umask 077 && { cat "$WORK/receipt" && printf '}\n'; } >"$STATE/install.json.new") && mv "$STATE/install.json.new" "$STATE/install.json"
}
uninstall() {
    [ "$PURGE" = 0 ] || ask_to_purge
    run rm -rf "$TOOL" "$PREVIOUS" "$SWITCH" "$STATE/uv" "$STATE/dist" || # first, for the disk may be full
        fail_logged "not everything could be removed" "mend that, then install.sh --uninstall again; the whole output is in $LOG"
    for folder in "$BIN" "$HOME/.local/bin"; do
        for name in $COMMANDS; do
            find_owner "$folder/$name"
            case $OWNED_BY in "uv tool modelops" | "our receipt") run rm -f "$folder/$name" ;; esac
            [ -e "$folder/$name" ] || [ ! -e "$folder/$name.before-modelops" ] || run mv "$folder/$name.before-modelops" "$folder/$name"
        done
    done
    list_start_files
    for file in "$HOME/.profile" "$HOME/.bashrc" "$HOME/.bash_profile" "$HOME/.bash_login" "$zshrc" "$HOME/.zshrc" "$fish"; do
        ! grep -qsF -e "$OPEN_MARK" "$file" || if [ "$DRY_RUN" = 1 ]; then say "  would take our lines out of $file"; else rewrite_file "$file" ''; fi
    done
    made=$(sort -r "$STATE/created-folders" 2>/dev/null) || :
    run rm -f "$STATE/env" "$STATE/env.fish" "$STATE/created-files" "$STATE/created-folders" "$STATE/install.json"
    [ "$PURGE" = 0 ] || while IFS= read -r folder; do run rm -rf "$folder"; done <"$WORK/doomed"
    case $NEWLINE$made$NEWLINE in *"$NEWLINE$TOOLS$NEWLINE"*) run rm -f "$TOOLS/.lock" "$TOOLS/.gitignore" "$TOOLS/CACHEDIR.TAG" ;; esac
    if [ "$DRY_RUN" = 1 ]; then say "Nothing was changed." && answer '"dry_run": true' && return 0; fi
    for name in $COMMANDS; do
        found=$(command -v "$name") || continue
        explain_owner "$found" && DUPLICATES="$DUPLICATES$found ($OWNED_BY; removed by: $REMEDY)$NEWLINE"
    done
    say "ModelOps is removed.${DUPLICATES:+ Still on PATH:$NEWLINE}$DUPLICATES"
    LOG=/dev/null && rm -rf "$STATE/logs" "$WORK" "$LOCK"
    printf '%s\n' "$made" "$STATE" "${fish%/*}" | while IFS= read -r folder; do rmdir "$folder" 2>/dev/null || :; done # if empty
    for folder in "$STATE"/*; do [ ! -e "$folder" ] || say "kept: $folder"; done
    answer '"uninstalled": true'
}
ask_to_purge() { # before anything is removed
    doomed='' kept=''
    for folder in "$STATE"/*; do
        case ${folder##*/} in
            secrets | jobs | *results*) kept="$kept $(quote "$folder")" ;;
            install.lock | stage.* | logs | '*') ;;
            *) doomed="$doomed$folder$NEWLINE" && say "  $(du -sh "$folder" | cut -f 1) $folder" ;;
        esac
    done
    [ -z "$kept" ] || say "never removed by this script: rm -r$kept"
    if [ -n "$doomed" ] && [ "$DRY_RUN" != 1 ]; then
        name=${STATE##*/}
        if [ -z "$PURGE_NAME" ] && [ -t 0 ] && [ -t 2 ]; then printf 'Type %s to remove all this: ' "$name" >&2 && IFS= read -r PURGE_NAME; fi
        [ "$PURGE_NAME" = "$name" ] || fail "not purged: the answer was not $name" "install.sh --uninstall --purge=$name" 3
    fi
    printf '%s' "$doomed" >"$WORK/doomed"
}

main() {
    parse_options "$@"
    [ "$UNINSTALL" = 1 ] || choose_source
    set_places
    trap finish EXIT
    trap 'SIGNALLED=130 && exit 130' INT
    trap 'SIGNALLED=143 && exit 143' TERM
    trap 'SIGNALLED=129 && exit 129' HUP
    if [ "$UNINSTALL" = 1 ]; then
        STEP=uninstall
        check_system
        uninstall
        exit 0
    fi
    step 1 check && check_system
    step 2 azure && check_az_version
    step 3 uv && install_uv
    step 4 inventory && inspect_installations
    step 5 stage && resolve_source && stage
    step 6 install && install_modelops
    step 7 clean && cleanup_old_installations
    step 8 path && configure_path
    step 9 verify && verify_installation
    if [ "$DRY_RUN" = 1 ]; then say "Nothing was changed." && answer '"dry_run": true' && exit 0; fi
    answer "$(sed 1d "$WORK/receipt")"
    say "Installed: ModelOps $VERSION${COMMIT:+ ($COMMIT)}$NEWLINE  in $TOOL$NEWLINE  mops, cb and modelops-bundle in $BIN"
    [ -z "$REMOVED" ] || say "In shells that are open now: hash -r (zsh: rehash)"
    [ "$ON_PATH" = 1 ] || say "In this shell, once: $PATH_LINE"
    say "Next: mops init demo && cd demo" && exit 0 # a shell would read on in a file that has grown meanwhile
}

[ "${INSTALL_SH_LIB:-}" = 1 ] || { main "$@"; }
