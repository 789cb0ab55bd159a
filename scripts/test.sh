#!/usr/bin/env bash
# Sets up what testing needs (once) and runs all tests, or those named: ./scripts/test.sh tests/console -k flags
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup_env.sh
prepare_environment test
exec .venv/bin/python -m pytest "$@"
