#!/usr/bin/env bash
# command.sh: from the moment the slot is free until the command of the next run starts, over a bare start of it.
#
# One run holds the slot, the next one waits for it. Needs an engine: eval "$(scripts/engine env)".
. "$(dirname "$(readlink -f "$0")")/lib.sh"

: "${DOCKER_HOST:?an engine: scripts/engine up; eval \"\$(scripts/engine env)\"}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export REDFIX_MAX_FOREIGN_CPU=1 REDFIX_MAX_PRESSURE=100 REDFIX_RECIPE=bench REDFIX_MIN_FREE=1MiB
unset REDFIX_LEDGER

# isolate COMMAND...: becomes one run of it.
isolate() {
  exec swarm-isolate --domain bench.ci.example --evidence "$scratch/evidence" -- "$@" >/dev/null </dev/null
}

# bare: seconds from just before a process is started until it says what time it is.
bare() {
  local before=${EPOCHREALTIME/[.,]/} after
  after=$(sh -c 'date +%s%N')
  awk -v a="$before" -v b="$after" 'BEGIN { printf "%.6f\n", b / 1e9 - a / 1e6 }'
}

# after_free: seconds from when no slot names the holder any more until the waiter's command starts.
after_free() {
  rm -f "$scratch"/{held,go,started,freed}
  isolate sh -c "touch '$scratch/held'; until [ -e '$scratch/go' ]; do sleep 0.05; done" &
  local holder=$! waiter look
  until [[ -e $scratch/held ]]; do sleep 0.05; done
  isolate sh -c "date +%s%N >'$scratch/started'" &
  waiter=$!
  # Until it is really waiting, and has seen the node for a while.
  sleep 3
  python3 "$benches/freed.py" "$holder" >"$scratch/freed" &
  look=$!
  touch "$scratch/go"
  wait "$holder" && wait "$waiter" && wait "$look" || return
  awk -v a="$(<"$scratch/freed")" -v b="$(<"$scratch/started")" 'BEGIN { printf "%.6f\n", (b - a) / 1e9 }'
}

times='' bares=''
for ((n = 0; n < BENCH_RUNS; n++)); do
  times+=$(after_free)$'\n'
  bares+=$(bare)$'\n'
done
over=$(awk -v a="$(median <<<"${times%$'\n'}")" -v b="$(median <<<"${bares%$'\n'}")" 'BEGIN { printf "%.4f\n", a - b }')
row "command start after the slot is free, over a bare start" "bare start" "$over" - s "<= 0.15"
