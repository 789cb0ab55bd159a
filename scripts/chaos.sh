#!/usr/bin/env bash
# Kills real processes at random moments and measures, from the exchange's ledger, how long an order of ours still rests.
# Once per row:  scripts/chaos.sh [--venue deribit]      Twenty times, into the documentation:  scripts/chaos.sh --full --docs
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3
export PYTHONPATH="$PWD:$PWD/tests/kills"
# A network of its own, so that it can be cut; where that is not allowed a proxy swallows what must not pass.
for unshare in "unshare -n" "unshare -rn"; do
    if $unshare ip link set lo up 2>/dev/null; then
        CHAOS_NAMESPACE=1 exec $unshare sh -c 'ip link set lo up && exec "$@"' chaos "$python" tests/kills/chaos.py "$@"
    fi
done
exec "$python" tests/kills/chaos.py "$@"
