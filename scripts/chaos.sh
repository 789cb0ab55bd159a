#!/bin/sh
# Kills real processes at random moments and measures, from the exchange's ledger, how long an order of ours still rests.
# Once per row:  scripts/chaos.sh      Twenty times, into the documentation:  scripts/chaos.sh --full --docs
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3
PYTHONPATH="$PWD:$PWD/tests/kills" exec "$python" tests/kills/chaos.py "$@"
