#!/usr/bin/env bash
# soak.sh [TIME [SEED]]: a day in small (default 20m): on a private engine of three nodes, round after round, a sweep and the
# whole flow of two small recipes, killed and resumed at times, and random faults over all tools; every third round one
# node's engine dies. After each round nothing of it may be left. At the end: rounds, runs, verdicts, leaks, and whether
# descriptors and memory of what lived all the time are flat: the three engines, `log-snap attach`, `review-ci --follow`.
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"
# shellcheck source=../scripts/redfix.d/flow.sh
. "$scripts/redfix.d/flow.sh"

cd "$root"
seconds=$(seconds_in "${1:-20m}") || cannot "reading arguments: $1: no time" "make soak T=20m"
RANDOM=${2:-1}
"$scripts/fetch" test
cargo build --locked --workspace --quiet
cargo test --locked --quiet -p e2e --test campaign --no-run
export REDFIX_BIN=${CARGO_TARGET_DIR:-$root/target}/debug
PATH=$REDFIX_BIN:$PATH

work=$(mktemp -d)
undo "rm -rf '$work'"
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
undo "engine down --name soak"
interruptible engine up --name soak --nodes 3
eval "$(engine env --name soak)"
export DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODES
interruptible "$ground/images/build" busybox
export REDFIX_ENV=/dev/null REDFIX_MAX_FOREIGN_CPU=2 REDFIX_RECIPES=$work/recipes

# Their ports are asked for on the first node.
cp -a examples/recipes "$work/recipes"
first=$(docker node inspect self --format '{{.Description.Hostname}}')
sed -i "s/^\( *\)endpoint_mode: dnsrr/&\n\1placement: {constraints: [\"node.hostname == $first\"]}/" "$work"/recipes/*/releases/*/compose.yml

# What lives all the time.
docker service create --quiet --detach --no-resolve-image --endpoint-mode dnsrr --mode global --name talk_app \
  --label com.docker.stack.namespace=talk --container-label com.docker.stack.namespace=talk redfix/busybox:latest \
  sh -c 'while :; do echo a line; sleep 0.1; done' >/dev/null
mkdir -p "$work/idle-forge"
set -m
log-snap attach --stack talk --out "$work/talk" </dev/null >/dev/null 2>"$work/attach.log" &
attach=$!
review-ci --forge "$work/idle-forge" --follow -- true </dev/null >/dev/null 2>"$work/review.log" &
review=$!
set +m
undo "end_group $attach; end_group $review"

# objects: the names of all that is on the swarm and its nodes, but for what the engines change by themselves.
objects() {
  local pair kind pid name
  for pair in $REDFIX_NODES; do
    for kind in service config secret network volume; do docker -H "${pair#*=}" "$kind" ls --format "$kind {{.Name}}"; done
    docker -H "${pair#*=}" ps --format "container ${pair%%=*} {{.Image}}"
  done | grep -v 'redfix-slot' | sort
  for pid in $(for name in swarm-isolate warm-domain-all pr-open flake-classify; do pgrep -x "$name"; done); do
    ! grep -qa redfix-engine/soak "/proc/$pid/environ" 2>/dev/null || ps -o args= -p "$pid"
  done
  # The locks of pr-open stay, by design.
  find "$TMPDIR" -mindepth 1 -maxdepth 1 ! -name '.*' ! -name 'redfix-pr-open-*'
  docker config ls -q --filter label=redfix.slot | xargs -r docker config inspect --format '{{index .Spec.Labels "redfix.slot.state"}}' | grep held || true
}

# sample: a row for each long-lived process: name, descriptors, resident KiB.
sample() {
  local pid name folder
  while read -r name pid; do
    [[ -d /proc/$pid/fd ]] || { say "$name has died" && broken+=("$name died") && continue; }
    printf '%s\t%s\t%s\n' "$name" "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")"
  done < <(
    for folder in /run/redfix-engine/soak/n*; do printf 'dockerd-%s %s\n' "${folder##*/}" "$(<"$folder/pid")"; done
    printf 'attach %s\nreview-ci %s\n' "$attach" "$review"
  )
}

# flow N: a sweep and everything that follows for one of its recipes; killed after a while and resumed, every second time.
flow() {
  local status=0 pid recipe=hello
  ((RANDOM % 2)) || recipe=notes
  export REDFIX_DIR=$work/round-$1
  sweep --recorded >>"$work/log" 2>&1 || (($? == 1)) || return
  if (($1 % 2)); then
    set -m
    redfix run --short "$recipe" </dev/null >>"$work/log" 2>&1 &
    pid=$!
    set +m
    sleep $((RANDOM % 60 + 3))
    kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null || true
    [[ ! -L $REDFIX_DIR/redfix.open ]] || interruptible redfix resume >>"$work/log" 2>&1 || status=$?
  else
    interruptible redfix run --short "$recipe" >>"$work/log" 2>&1 || status=$?
  fi
  [[ -z $caught ]] || leave 1
  return "$status"
}

end=$((SECONDS + seconds)) rounds=0 kills=0 restarts=0 faults=0 broken=()
sleep 3
before=$(objects)
while ((SECONDS < end)); do
  rounds=$((rounds + 1))
  if ((rounds % 3 == 0)); then
    kill -KILL "$(</run/redfix-engine/soak/n3/pid)"
    interruptible engine up --name soak --nodes 3
    restarts=$((restarts + 1))
  fi
  flow "$rounds" || { broken+=("round $rounds: the flow ended with $?") && tail -n 20 "$work/log" >&2; }
  E2E_FAULTS=12 E2E_FAULT_SEED=$RANDOM interruptible cargo test --locked --quiet -p e2e --test campaign -- --nocapture \
    >"$work/faults" 2>&1 || { broken+=("round $rounds: faults lost something") && grep LOST "$work/faults" >&2; }
  [[ -z $caught ]] || leave 1
  faults=$((faults + $(awk '/^faults: tried/ { print $3 }' "$work/faults")))
  # As redfix-resume.service of examples/systemd does: what was not proved to be gone while an engine was dead is looked at
  # again.
  interruptible swarm-isolate reap >>"$work/log" 2>&1 || broken+=("round $rounds: reap ended with $?")
  for _ in {1..60}; do
    after=$(objects)
    [[ $after != "$before" ]] || break
    sleep 1
  done
  [[ $after == "$before" ]] || { broken+=("round $rounds: leaks") && { diff <(echo "$before") <(echo "$after") >&2 || true; }; }
  sample | sed "s/^/$rounds\t/" >>"$work/samples"
  say "round $rounds: $((end - SECONDS)) s to go, broken: ${#broken[@]}"
done

runs=$(cat "$work"/round-*/redfix-*/*/ledger.jsonl "$work"/round-*/*-*/ledger.jsonl 2>/dev/null | grep -c '"type":"run.finished"' || true)
verdicts=$(cat "$work"/round-*/redfix-*/*/ledger.jsonl "$work"/round-*/*-*/ledger.jsonl 2>/dev/null | grep -c '"type":"flake.verdict"' || true)
# Flat: from the second round on at most 20 more descriptors and half as much memory again. An engine that was restarted
# begins anew.
awk -F '\t' -v last="$rounds" '$1 == 2 || (last < 2 && $1 == 1) { fd[$2] = $3; kib[$2] = $4 }
  $1 == last { printf "soak: %-10s descriptors %4d then %4d, resident %7d then %7d KiB%s\n", $2, fd[$2], $3, kib[$2], $4,
    ($3 > fd[$2] + 20 || $4 > 1.5 * kib[$2] + 20480) ? " GROWS" : "" }' "$work/samples" | tee "$work/flat"
((rounds >= 3)) || echo "soak: $rounds rounds are too few to call anything flat"
! grep -q GROWS "$work/flat" || broken+=("something grows")
printf 'soak: %d rounds, %d runs, %d verdicts, %d faults, %d flows killed, %d engines killed, broken: %d\n' \
  "$rounds" "$runs" "$verdicts" "$faults" "$kills" "$restarts" "${#broken[@]}"
((${#broken[@]} == 0)) || printf 'soak: %s\n' "${broken[@]}"
leave $((${#broken[@]} > 0))
