#!/usr/bin/env bash
# faults.sh [N [SEED]]: N random faults over all tools (default 1000), a tenth of them between pr-open and its forge, the
# others on a private engine. Prints what was tried and what was lost; the same SEED tries the same ones again. Exits 1
# when anything was lost.
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"

cd "$root"
count=${1:-1000} seed=${2:-$EPOCHSECONDS}
[[ $count =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ ]] || cannot "reading arguments: $*: expected numbers" "make faults N=1000 SEED=1"
"$scripts/fetch" test
cargo build --locked --workspace --quiet
undo "engine down --name faults"
interruptible engine up --name faults
eval "$(engine env --name faults)"
export DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODES E2E_FAULT_SEED=$seed
interruptible "$ground/images/build" busybox
log=$(mktemp)
undo "rm -f '$log'"
campaign() { # NUMBER ARGUMENT...
  E2E_FAULTS=$1 interruptible cargo test --locked --quiet "${@:2}" -- --nocapture --test-threads=1 > >(tee -a "$log") 2>&1 || status=1
  [[ -z $caught ]] || leave 1
}
status=0
campaign $((count - count / 10)) -p e2e --test campaign
((count < 10)) || campaign $((count / 10)) -p pr-open --test cli nothing_is_lost
awk -v seed="$seed" '/^faults: tried/ { tried += $3; lost += $5 }
  END { printf "faults: %d tried, %d lost, SEED=%s\n", tried, lost, seed }' "$log"
leave "$status"
