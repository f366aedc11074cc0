#!/usr/bin/env bash
# command.sh: from the moment the slot is free until the command of the next run starts, over a bare start of it.
#
# One run holds the slot, the next one waits for it. Needs an engine: eval "$(scripts/engine env)".
. "$(dirname "$(readlink -f "$0")")/lib.sh"

: "${DOCKER_HOST:?an engine: scripts/engine up; eval \"\$(scripts/engine env)\"}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset REDFIX_LEDGER

# isolate COMMAND...: becomes one run of it.
isolate() {
  exec swarm-isolate --domain bench.ci.example --recipe bench --evidence "$scratch/evidence" --min-free 1MiB \
    --max-foreign-cpu 1 --max-pressure 100 -- "$@" >/dev/null </dev/null
}

# bare: seconds from just before a process is started until it says what time it is.
bare() {
  local before=${EPOCHREALTIME/[.,]/} after
  after=$(sh -c 'date +%s%N')
  awk -v a="$before" -v b="$after" 'BEGIN { printf "%.6f\n", b / 1e9 - a / 1e6 }'
}

# starts: seconds until the waiter's command starts, from when no slot names the holder any more, and from when one names
# the waiter.
starts() {
  rm -f "$scratch"/{held,go,started,freed}
  isolate sh -c "touch '$scratch/held'; until [ -e '$scratch/go' ]; do sleep 0.05; done" &
  local holder=$! waiter
  until [[ -e $scratch/held ]]; do sleep 0.05; done
  isolate sh -c "date +%s%N >'$scratch/started'" &
  waiter=$!
  # Until it is really waiting, and has seen the node for a while.
  sleep 3
  python3 "$benches/freed.py" "$holder" "$waiter" "$scratch/go" >"$scratch/freed"
  wait "$holder" && wait "$waiter" || return
  awk -v at="$(<"$scratch/started")" '{ printf "%.6f %.6f\n", (at - $1) / 1e9, (at - $2) / 1e9 }' "$scratch/freed"
}

free='' taken='' bares=''
for ((n = 0; n < BENCH_RUNS; n++)); do
  read -r from_free from_taken < <(starts)
  free+=$from_free$'\n' taken+=$from_taken$'\n'
  bares+=$(bare)$'\n'
done
# over TIMES: their median over that of a bare start.
over() {
  awk -v a="$(median <<<"${1%$'\n'}")" -v b="$(median <<<"${bares%$'\n'}")" 'BEGIN { printf "%.4f\n", a - b }'
}
row "command start after the slot is free, over a bare start" "bare start" "$(over "$free")" - s "<= 0.15"
row "command start after the slot is taken, over a bare start" "bare start" "$(over "$taken")" - s "<= 0.15"
