#!/usr/bin/env bash
# slots.sh: how long after a slot comes free the command of a waiter starts, over a bare start. Needs an engine in
# DOCKER_HOST whose slots nobody else uses.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# EPOCHREALTIME of the first thing that a command does.
# shellcheck disable=SC2016 # the command's own shell expands it
start='echo $EPOCHREALTIME'
fifo=$(mktemp -u)

# waiting: from the end of the holder's command to the start of the waiter's, the holder's release included.
waiting() {
  local ended started
  mkfifo "$fifo"
  swarm-isolate --slot-only=all -- bash -c "read -r _ <'$fifo'; $start" >"$fifo.ended" &
  local holder=$!
  until [[ $(swarm-isolate slots | grep -c '"state":"held"') -ge 1 ]]; do sleep 0.1; done
  swarm-isolate --slot-only -- bash -c "$start" >"$fifo.started" &
  local waiter=$!
  # The waiter has looked, listens for events and waits.
  sleep 2.3
  echo go >"$fifo"
  wait "$holder" "$waiter"
  ended=$(<"$fifo.ended") started=$(<"$fifo.started")
  rm -f "$fifo" "$fifo.ended" "$fifo.started"
  awk -v a="$ended" -v b="$started" 'BEGIN { printf "%.6f\n", b - a }'
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
