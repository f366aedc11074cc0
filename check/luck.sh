#!/usr/bin/env bash
# luck.sh [N]: look for flaky tests of our own with our own tools. It runs CI's end-to-end tests N times (default 3) on a calm
# machine, and N times beside as many busy loops as there are cores. There, tests that measure isolation must fail and say
# that the machine is not calm. flake-classify judges each test that ever failed; reports and evidence stay in target/luck.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

times=${1:-3}
[[ $times =~ ^[1-9][0-9]*$ ]] || cannot "reading arguments: $times: expected a number" 'make test-luck N=3'
keep luck
engines='group(engine) | group(trio)'

# once CONDITION NUMBER [FILTER]: run the tests once.
once() {
  local at=$1-$2 status=0
  export E2E_EVIDENCE=$kept/evidence/$at
  tests "$at" --no-fail-fast -E "${3:-$engines | group(alone)}" || status=$?
  mkdir -p "$kept/$1/$2"
  mv "$kept/junit/$at.xml" "$kept/$1/$2/junit.xml"
  return "$status"
}

# inside: run the tests N times calm and N times busy, and those that measure isolation once busy.
inside() {
  local number load
  tests none --no-run
  for ((number = 1; number <= times; number++)); do step "calm $number" once calm "$number"; done
  setsid "$ground/load" cpu "$(nproc)" --for 86400 >/dev/null 2>&1 </dev/null &
  load=$!
  undo "kill $load"
  for ((number = 1; number <= times; number++)); do step "busy $number" once busy "$number" "$engines"; done
  # Each of these tests must fail at once, for this reason and no other.
  step 'busy and measured' says_so
  leave 0
}

says_so() {
  local red all told
  once measured 1 'group(alone)' || true
  all=$(grep -c '<testcase ' "$kept/measured/1/junit.xml")
  red=$(grep -c '<failure' "$kept/measured/1/junit.xml")
  told=$(awk 'BEGIN { RS = "</testcase>" } /the machine is not calm: / { n++ } END { print n + 0 }' "$kept/measured/1/junit.xml")
  printf '%d tests that measure isolation, %d of them red on a busy machine, %d because of that\n' "$all" "$red" "$told"
  ((all > 0 && red == all && told == all))
}

# verdicts: print how often each test failed, and what flake-classify says of it.
verdicts() {
  local condition level
  for condition in calm:isolated busy:loaded; do
    level=${condition#*:} condition=${condition%%:*}
    flake-classify --from nextest --recipe redfix --condition "$level" "$kept/$condition"/*/ |
      jq -c 'select(.type == "run.finished" or .type == "test.finished" or .type == "case.failed")'
  done >"$kept/records.jsonl"
  printf '\n%-90s %7s %7s\n' 'red of runs' calm busy
  jq -rn '[inputs] as $all
    | ([$all[] | select(.type == "run.finished") | {key: .attempt_id, value: .factors.load}] | from_entries) as $load
    | [$all[] | select(.type == "test.finished") | . + {load: $load[.attempt_id]}] | group_by(.test)[]
    | select(any(.outcome == "fail"))
    | def rate(level): map(select(.load == level)) | "\(map(select(.outcome == "fail")) | length)/\(length)";
      [.[0].test, rate("isolated"), rate("loaded")] | @tsv' "$kept/records.jsonl" |
    while IFS=$'\t' read -r test calm busy; do printf '%-90s %7s %7s\n' "$test" "$calm" "$busy"; done | tee "$kept/red"
  [[ -s $kept/red ]] || echo 'none was red'
  flake-classify --accept-claimed --accept-correlated --explain <"$kept/records.jsonl" >"$kept/verdicts.txt" || true
  printf 'flake-classify on them: %s\n' "$kept/verdicts.txt"
}

if [[ -n ${APART-} ]]; then inside; fi
only_one
rm -rf "$kept"
mkdir -p "$kept"
"$check/fetch" test
status=0
PATH=$root/target/debug:$PATH
interruptible setpriv --pdeathsig TERM -- check/apart "$check/luck.sh" "$times" || status=$?
[[ -z $caught ]] || leave 1
((status == 0)) || cannot "running the tests: exit $status" "see $kept"
awk -F '\t' '{ printf "%-20s %6d s %s\n", $1, $2, $4 == 0 ? "ok" : "RED" }' "$kept/steps"
verdicts
[[ ! -s $kept/red && -z $(awk -F '\t' '$4 != 0' "$kept/steps") ]]
