#!/usr/bin/env bash
# Holds the paper exchange against other people's clients: ccxt's pro client and typed-deribit on the Deribit face,
# derive-py on the Derive face, each unchanged but for the address. Every client has an environment of its own (their
# pins would hold ours back), made on the first run and kept. Not part of the ordinary tests.
#   scripts/test_with_clients.sh [name ...]     names: ccxt typed-deribit derive-py; none: all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup_env.sh
prepare_environment ""
python=$(find_python) || exit 2

try_client() { # name, requirement, test file
    local home=".venv-client-$1"
    if [ ! -f "$home/ready" ]; then
        say "client $1: installing $2 ..."
        rm -rf "$home"
        "$python" -m venv "$home"
        "$home/bin/pip" install --quiet --disable-pip-version-check "$2" pytest==9.2.0
        touch "$home/ready"
    fi
    say "client $1:"
    STRIKEMAKER_PYTHON="$PWD/.venv/bin/python" "$home/bin/python" -m pytest -c tests_clients/pytest.ini "tests_clients/$3"
}

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(ccxt typed-deribit derive-py)
for client in "${wanted[@]}"; do
    case "$client" in
        ccxt) try_client ccxt ccxt==4.5.90 test_ccxt_deribit.py ;;
        typed-deribit) try_client typed-deribit typed-deribit==0.4.1 test_typed_deribit.py ;;
        derive-py) try_client derive-py derive-py==0.1.5 test_derive_py.py ;;
        *)
            echo "no such client: $client (ccxt typed-deribit derive-py)" >&2
            exit 2
            ;;
    esac
done
