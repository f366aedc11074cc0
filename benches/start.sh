#!/usr/bin/env bash
# start.sh: compares the whole run of a filter on ten records with jq on the same records; prints the size of each tool.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

ten=$(mktemp)
trap 'rm -f "$ten"' EXIT
head -n 10 "$root/lib-common/tests/data/v1/run.finished.jsonl" >"$ten"

# One start takes a few milliseconds, too short to measure: a sample is twenty starts.
twenty() { for ((n = 0; n < 20; n++)); do "$@" <"$ten" || return; done; }
peer() { twenty jq -c .; }
verdicts() { twenty flake-classify --quiet; }
# Exit 1 is expected: the gates fail on ten records.
answer() { redfix-report || (($? == 1)); }
answers() { twenty answer; }
versus 'ten records through flake-classify, twenty starts' 'jq -c .' '<= 1' verdicts peer
versus 'ten records through redfix-report, twenty starts' 'jq -c .' '<= 1' answers peer

for tool in warm-domain-alloc swarm-guard swarm-isolate swarm-wait log-snap flake-classify pr-open redfix-report; do
  row "$tool: size" 'ten megabytes' "$(stat -c %s "$REDFIX_BIN/$tool")" - bytes '<= 10000000'
done
