#!/usr/bin/env bash
# Sets up what is needed (once) and makes markets; without arguments on the built-in paper exchange.
#
# Settings come from the environment, and every flag of `strikemaker run` may follow:
#   EXPIRY STRIKES ALL_STRIKES SIZE SPREAD_BPS MIN_SPREAD REFRESH MAX_POSITION MAX_EXPOSURE IMPROVEMENT
#   IMPROVEMENT_REFERENCE_SIZE UNDERLYING EXCHANGE TEST DRY_RUN CONFIG
# Example: EXPIRY=nearest-monthly STRIKES=2800,3000 SIZE=0.5 ./scripts/run_market_maker.sh --duration 60
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup_env.sh

flags=()
value_of() { # NAME FLAG: passes a set variable on
    if [ -n "${!1:-}" ]; then flags+=("-$2" "${!1}"); fi
}
switch_of() { # NAME FLAG: passes a switch on if it is set to yes
    case "$(printf '%s' "${!1:-}" | tr '[:upper:]' '[:lower:]')" in
        1 | true | yes | on) flags+=("-$2") ;;
        "" | 0 | false | no | off) ;;
        *) fail "$1=${!1}: is neither yes nor no; give true or false" ;;
    esac
}
value_of EXPIRY expiry
value_of STRIKES strikes
switch_of ALL_STRIKES all-strikes
value_of SIZE size
value_of SPREAD_BPS spread
value_of MIN_SPREAD min-spread
value_of REFRESH refresh
value_of MAX_POSITION max-position
value_of MAX_EXPOSURE max-exposure
value_of IMPROVEMENT improvement
value_of IMPROVEMENT_REFERENCE_SIZE improvement-reference-size
value_of UNDERLYING underlying
value_of EXCHANGE exchange
switch_of TEST test
switch_of DRY_RUN dry-run

config=${CONFIG:-configs/paper.toml}
if [ -n "${CONFIG:-}" ] && [ -f "$called_from/$CONFIG" ]; then config=$called_from/$CONFIG; fi

prepare_environment ""
# exec: signals sent to this script's process reach the supervisor itself.
exec .venv/bin/python supervisor.py "$config" ${flags[@]+"${flags[@]}"} "$@"
