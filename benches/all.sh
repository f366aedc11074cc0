#!/usr/bin/env bash
# all.sh [BENCH...]: run every comparison of a tool with its peer (or the named ones), print one table, keep the rows in
# target/bench.jsonl. Exits 1 where a goal is missed.
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"

cd "$root"
out=$root/target/bench.jsonl
benches=("$@")
for file in benches/*.sh; do
  name=$(basename "$file" .sh)
  (($# > 0)) || [[ $name == all || $name == lib ]] || benches+=("$name")
done
need jq awk
scripts/fetch bench
undo "engine down --name bench"
engine up --name bench
eval "$(engine env --name bench)"
export DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODES REDFIX_BIN=$root/target/release
ground/images/build busybox >&2
: >"$out"
failed=()
for bench in "${benches[@]}"; do
  say "$bench"
  interruptible "benches/$bench.sh" > >(tee -a "$out" >/dev/null) || failed+=("$bench")
  [[ -z $caught ]] || leave 1
done

jq -rs '(["what", "peer", "ours", "theirs", "unit", "ratio", "goal", "verdict"],
  (.[] | [.what, .peer, .ours, .theirs // "-", .unit, .ratio, .goal, (if .ok then "ok" else "MISSED" end)])) | @tsv' "$out" |
  column -t -s $'\t'
((${#failed[@]} == 0)) || say "did not finish: ${failed[*]}"
missed=$(jq -s 'map(select(.ok | not)) | length' "$out")
leave $((missed > 0 || ${#failed[@]} > 0))
