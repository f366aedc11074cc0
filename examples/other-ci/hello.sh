#!/usr/bin/env bash
# hello.sh: the recipe hello, from red to report, with another CI's runner in place of its life cycle.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

export HARNESS=$here/runner
export REDFIX_RECIPES=$here/../recipes
exec "$here/../../scripts/investigate" hello
