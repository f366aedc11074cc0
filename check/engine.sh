#!/usr/bin/env bash
# engine.sh [CASE...]: check scripts/engine on a machine of its own: what it makes works, what was there stays, what it made
# goes. Two engines and a stand-in for somebody else's Docker are made and removed.
# shellcheck disable=SC2034,SC2154 # shared with engine.d/*.sh
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
here=$root/check
# shellcheck source-path=SCRIPTDIR source=engine.d/lib.sh
. "$here/engine.d/lib.sh"
# shellcheck source-path=SCRIPTDIR source=engine.d/cases.sh
. "$here/engine.d/cases.sh"

[[ -n ${APART-} ]] || exec "$here/apart" "$0" "$@"
missing=$("$root/scripts/fetch" --has engine) || {
  printf 'check/engine: looking for programs: Debian has them in: %s\n  hint: scripts/fetch engine\n' "${missing//$'\n'/ }" >&2
  exit 2
}
PATH=$PATH:/usr/sbin:/sbin
unset DOCKER_HOST DOCKER_CONTEXT
# The engine under test, and the one behind a packet filter; short names, which are those of their links, too.
name=$APART-c walled=$APART-f
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
