#!/usr/bin/env bash
# slots.sh: measures the time from when a slot becomes free until a waiter's command starts, less the time that starting the
# command alone takes. Needs an engine in DOCKER_HOST whose slots nobody else uses.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The command prints the time as the first thing that it does.
# shellcheck disable=SC2016 # the command's own shell expands it
start='echo $EPOCHREALTIME'
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
command -v swarm-isolate >/dev/null || { echo 'bench: swarm-isolate is not built: cargo build --release' >&2 && exit 2; }

# waiting: seconds from the end of the holder's command to the start of the waiter's. The release of the slot is included.
waiting() {
  local try
  rm -f "$dir/go" && mkfifo "$dir/go"
  swarm-isolate --slot-only=all -- bash -c "read -r _ <'$dir/go'; $start" >"$dir/ended" &
  local holder=$!
  for ((try = 0; try < 200; try++)); do
    if swarm-isolate slots | grep -q '"state":"held"'; then break; fi
    sleep 0.1
  done
  swarm-isolate --slot-only -- bash -c "$start" >"$dir/started" &
  local waiter=$!
  # By then the waiter has found the slot taken and waits for the engine's events.
  sleep 2.3
  echo go >"$dir/go"
  wait "$holder" "$waiter"
  awk -v a="$(<"$dir/ended")" -v b="$(<"$dir/started")" 'BEGIN { printf "%.6f\n", b - a }'
}

bare() {
  local asked=$EPOCHREALTIME
  awk -v a="$asked" -v b="$(bash -c "$start")" 'BEGIN { printf "%.6f\n", b - a }'
}

ours='' theirs=''
for ((n = 0; n < BENCH_RUNS; n++)); do
  ours+=$(waiting)$'\n'
  theirs+=$(bare)$'\n'
done
over=$(awk -v a="$(median <<<"${ours%$'\n'}")" -v b="$(median <<<"${theirs%$'\n'}")" 'BEGIN { print a - b }')
row 'command start after the slot is free, over a bare start' 'bash -c' "$over" - s '<= 0.15'
