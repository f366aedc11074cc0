# lib.sh: functions that the benches share: they run tool and peer by turns and print one JSON row of medians for each
# comparison.
# shellcheck shell=bash
set -euo pipefail

benches=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$(dirname "$benches")
: "${REDFIX_BIN:=$root/target/release}" "${BENCH_RUNS:=5}"
PATH=$REDFIX_BIN:$PATH

# seconds CMD...: print the wall-clock seconds of one run, whose output is discarded. A command that fails ends the bench.
seconds() {
  local start=$EPOCHREALTIME
  "$@" >/dev/null || { echo "bench: failed ($?): $*" >&2 && return 1; }
  local end=$EPOCHREALTIME
  awk -v a="$start" -v b="$end" 'BEGIN { printf "%.6f\n", b - a }'
}

# median: print the median of the numbers on standard input.
median() { sort -g | awk '{ a[NR] = $1 } END { print (NR % 2) ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }

# row WHAT PEER OURS THEIRS UNIT GOAL: print {"what","peer","ours","theirs","unit","ratio","goal","ok"}. The ratio is
# ours / theirs, and the goal, such as '<= 1.1', is about the ratio. When THEIRS is -, the goal is absolute: ratio = ours.
row() {
  jq -cn --arg what "$1" --arg peer "$2" --argjson ours "$3" --arg theirs "$4" --arg unit "$5" --arg goal "$6" '
    ($theirs | if . == "-" then null else tonumber end) as $t
    | ($goal | capture("^(?<op>[<>]=) *(?<n>[0-9.]+)$")) as $g
    | (if $t == null then $ours else $ours / $t end) as $ratio
    | {$what, $peer, $ours, theirs: $t, $unit, ratio: ($ratio * 1000 | round / 1000), $goal,
       ok: (if $g.op == "<=" then $ratio <= ($g.n | tonumber) else $ratio >= ($g.n | tonumber) end)}'
}

# versus WHAT PEER GOAL OURS THEIRS: run the two shell commands (or functions) BENCH_RUNS times by turns and print a row of
# their median seconds. One run of each comes first and is not counted: it fills the caches.
versus() {
  local what=$1 peer=$2 goal=$3 ours=$4 theirs=$5 mine='' other='' n
  seconds eval "$ours" >/dev/null && seconds eval "$theirs" >/dev/null
  for ((n = 0; n < BENCH_RUNS; n++)); do
    mine+=$(seconds eval "$ours")$'\n'
    other+=$(seconds eval "$theirs")$'\n'
  done
  row "$what" "$peer" "$(median <<<"${mine%$'\n'}")" "$(median <<<"${other%$'\n'}")" s "$goal"
}

# peak_kib CMD...: print the largest resident memory of one run in KiB, as GNU time measures it.
peak_kib() {
  local report
  report=$(mktemp)
  /usr/bin/time -f %M -o "$report" "$@" >/dev/null
  tail -1 "$report"
  rm -f "$report"
}

# example PACKAGE NAME: build the package's example with optimisation and print its path.
example() {
  cargo build --release --quiet --locked -p "$1" --example "$2" --manifest-path "$root/Cargo.toml" >&2
  printf '%s\n' "$root/target/release/examples/$2"
}
