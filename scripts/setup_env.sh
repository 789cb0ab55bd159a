# Sourced by the other scripts: a virtual environment in .venv with the packages that setup.cfg pins.
# prepare_environment "" installs what running needs, prepare_environment test what testing needs besides.
# Does nothing (in milliseconds) when setup.cfg has not changed since. Works in bash 3.2 and later.

OLDEST_PYTHON="3.11"
INSTALL_TRIES=3

say() { printf '%s\n' "$*" >&2; }
fail() { say "strikemaker: $*"; exit 2; }

is_new_enough() { # PYTHON: exits 0 when it runs and is not too old
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

is_quick() { # PYTHON: 0 when it was built optimised and can make an environment, 1 not optimised, 2 it cannot make one
    "$1" -I actors/console/interpreter.py >/dev/null 2>&1
}

best_of() { # NAME: of those on the PATH that go by it the first that is quick, else the first; what PYTHON names, as it is
    local place first=""
    while IFS= read -r place; do
        is_new_enough "$place" || continue
        [ -n "$first" ] || first=$place
        if [ "$1" = "${PYTHON:-}" ] || is_quick "$place"; then
            first=$place
            break
        fi
    done < <(type -aP "$1")
    printf '%s' "$first"
}

find_python() {
    local candidate best seen=""
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3 python; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        best=$(best_of "$candidate")
        if [ -n "$best" ]; then
            printf '%s\n' "$best"
            return 0
        fi
        seen="$seen $candidate ($("$candidate" --version 2>&1 | head -n 1))"
    done
    if [ -n "$seen" ]; then
        say "strikemaker: Python $OLDEST_PYTHON or newer is needed; found only:$seen"
    else
        say "strikemaker: Python $OLDEST_PYTHON or newer is needed; found none"
    fi
    say "Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python), or say PYTHON=/path/to/python"
    return 1
}

fingerprint() { # what decides whether an environment is current
    cat setup.cfg pyproject.toml | cksum | tr -d ' \n'
}

is_current() { # EXTRA: the stamp of a larger set covers the smaller one
    local wanted stamp
    wanted=$(fingerprint)
    [ -x .venv/bin/python ] || return 1
    for stamp in ".venv/.installed-${1:-run}" .venv/.installed-test; do
        [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
    done
    return 1
}

make_environment() {
    local python built=0
    if [ -x .venv/bin/python ] && is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return 0
    fi
    python=$(find_python) || exit 2
    say "making a virtual environment in .venv with $("$python" --version 2>&1) ($python) ..."
    is_quick "$python" || built=$?
    if [ "$built" -eq 1 ]; then
        say "(it was built without profile-guided optimisation; one that has it takes a tenth less CPU: PYTHON=/path/to/python)"
    fi
    "$python" -m venv --clear .venv || fail "could not make .venv: is the venv module installed? (Debian, Ubuntu: apt install python3-venv)"
}

show_progress() { # pip's lines on stdin; one line on a terminal, none elsewhere
    local line found=0
    while IFS= read -r line; do
        case "$line" in
            Collecting\ *)
                found=$((found + 1))
                [ -t 2 ] && printf '\r\033[Kinstalling: %d packages found, now %s' "$found" "${line#Collecting }" >&2
                ;;
            Installing\ collected*)
                [ -t 2 ] && printf '\r\033[Kinstalling: unpacking %d packages ...' "$found" >&2
                ;;
        esac
    done
    [ -t 2 ] && printf '\r\033[K' >&2
    return 0
}

install_packages() { # EXTRA
    local what=".${1:+[$1]}" log=.venv/install.log try
    for try in $(seq 1 "$INSTALL_TRIES"); do
        say "installing the pinned packages${1:+ and those for $1} (try $try of $INSTALL_TRIES) ..."
        if (
            set -o pipefail
            .venv/bin/python -m pip install --disable-pip-version-check --no-input --only-binary :all: \
                --retries 5 --timeout 60 --editable "$what" 2>&1 | tee "$log" | show_progress
        ); then
            return 0
        fi
        say "pip said:"
        grep -iE '^(error|warning)|ERROR' "$log" >&2 || tail -n 20 "$log" >&2
        [ "$try" -lt "$INSTALL_TRIES" ] && sleep $((try * 3))
    done
    fail "the packages could not be installed; the whole story is in $PWD/$log"
}

prepare_environment() { # EXTRA ("" or test); the working directory is the repository's root
    is_current "${1:-}" && return 0
    if command -v flock >/dev/null 2>&1; then
        exec 9>.venv.lock
        flock 9 # somebody else may be installing; then all is done when the lock comes free
        if is_current "${1:-}"; then
            exec 9>&-
            return 0
        fi
    fi
    make_environment
    install_packages "${1:-}"
    fingerprint >".venv/.installed-${1:-run}"
    say "installed."
    exec 9>&-
}
