#!/usr/bin/env bash
# Check scripts/engine against the machine: what it makes works, what was there stays, what it made goes.
# Engines `check` and `checkfw` and a stand-in for somebody else's Docker are made and removed; takes 60 to 90 s.
# shellcheck disable=SC2034,SC2154 # shared with engine.d/*.sh
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
here=$root/scripts/check
# shellcheck source-path=SCRIPTDIR source=engine.d/lib.sh
. "$here/engine.d/lib.sh"
# shellcheck source-path=SCRIPTDIR source=engine.d/cases.sh
. "$here/engine.d/cases.sh"

((EUID == 0)) || { echo 'check/engine: needs root' >&2 && exit 2; }
PATH=$PATH:/usr/sbin:/sbin
unset ENGINE DOCKER_HOST DOCKER_CONTEXT REDFIX_ENGINE_NODES
export REDFIX_ENGINE_NAME=check
case=setup
work=$(mktemp -d /tmp/redfix-check.XXXXXX)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for case in "${CASES[@]}"; do
  if (($# == 0)) || [[ " $* " == *" $case "* ]]; then "$case"; fi
done
case=finished
printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
