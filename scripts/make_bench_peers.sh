#!/usr/bin/env bash
# Makes the environments that `python -m benchmarks` compares us with, each apart from ours: their pins would hold our
# dependencies back (derive-action-signing wants websockets below 16). Run it once; what is there already is kept.
#   scripts/make_bench_peers.sh [name ...]     without names: all
# The names: derive derive-coincurve ccxt json vollib picows hummingbot nautilus. The last wants a newer Python than we do,
# and is left out where there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup_env.sh
python=$(find_python) || exit 2
every_peer=(derive derive-coincurve ccxt json vollib picows hummingbot nautilus)

is_312_or_313() { # PYTHON: exits 0 when it runs (pyenv's names may not) and is one of the two
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 12), (3, 13)))' >/dev/null 2>&1
}

find_newer_python() { # by name, or among those that pyenv keeps
    local candidate version
    for candidate in python3.13 python3.12; do
        is_312_or_313 "$candidate" && command -v "$candidate" && return 0
    done
    command -v pyenv >/dev/null 2>&1 || return 1
    for version in $(pyenv versions --bare 2>/dev/null); do
        candidate="$(pyenv prefix "$version" 2>/dev/null)/bin/python"
        is_312_or_313 "$candidate" && echo "$candidate" && return 0
    done
    return 1
}

make_peer() { # name, packages...
    local name="$1" home=".venv-bench-$1"
    shift
    if [ -f "$home/ready" ]; then
        echo "peer $name: there already"
        return
    fi
    echo "peer $name: installing $*"
    rm -rf "$home"
    "$python" -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check "$@"
    touch "$home/ready"
}

take_from_source() { # name, requirement, file of the package
    local home=".venv-bench-$1" unpacked
    [ -f "$home/taken" ] && return
    unpacked=$(mktemp -d)
    "$home/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary hummingbot --dest "$unpacked" "$2"
    tar -xzf "$unpacked"/*.tar.gz -C "$unpacked" --strip-components 1
    local site
    site=$("$home/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    mkdir -p "$site/$(dirname "$3")"
    cp "$unpacked/$3" "$site/$3"
    rm -rf "$unpacked"
    touch "$home/taken"
}

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("${every_peer[@]}")
for peer in "${wanted[@]}"; do
    case "$peer" in
        derive) make_peer derive derive-action-signing==0.0.13 trio==0.35.0 trio-websocket==0.12.2 ;;
        derive-coincurve) make_peer derive-coincurve derive-action-signing==0.0.13 coincurve==21.0.0 trio==0.35.0 trio-websocket==0.12.2 ;;
        ccxt) make_peer ccxt ccxt==4.5.90 ;;
        json) make_peer json orjson==3.13.0 msgspec==0.22.0 ;;
        vollib) make_peer vollib vollib==1.0.11 ;;
        picows) make_peer picows picows==2.3.1 uvloop==0.23.0 msgspec==0.22.0 attrs==26.1.0 coincurve==21.0.0 safe-pysha3==1.0.7 ;;
        hummingbot)
            # Its signing alone, out of the source package: all of it would compile for a quarter of an hour.
            make_peer hummingbot web3==7.16.0 coincurve==21.0.0 trio==0.35.0 trio-websocket==0.12.2 wheel cython numpy
            take_from_source hummingbot hummingbot==20260922 hummingbot/connector/other/derive_common_utils.py
            ;;
        nautilus)
            if newer=$(find_newer_python); then
                python="$newer" make_peer nautilus --only-binary=nautilus_trader nautilus_trader==1.231.0
            else
                echo "peer nautilus: left out, for nautilus_trader needs Python 3.12 or 3.13 and neither was found"
            fi
            ;;
        *)
            echo "no such peer: $peer (${every_peer[*]})" >&2
            exit 2
            ;;
    esac
done
