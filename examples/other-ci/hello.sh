#!/usr/bin/env bash
# hello.sh: the recipe hello, from red to report, with another CI's runner in place of its life cycle.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

export HARNESS=$here/runner
# The names that the runner makes: what appears under them during a run is the run's own, and goes with it.
export REDFIX_ALLOW="stack=hell-??????.${REDFIX_BASE_DOMAIN:-ci.example}"
export REDFIX_RECIPES=$here/../recipes
exec "$here/../../scripts/investigate" hello
