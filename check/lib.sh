# shellcheck shell=bash
# lib.sh of the checks: where things come from and are kept, the tests by nextest, steps and what they took.
export REDFIX_ENV=/dev/null # no operator's settings
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../scripts/lib.sh"

check=$root/check
cd "$root"
# Never an operator's engine.
unset DOCKER_HOST DOCKER_CONTEXT REDFIX_NODES REDFIX_NODE_ADDR
# What is kept of a call: junit/, evidence/ of red tests, a log for each step, and `steps`.
keep() {
  kept=$root/target/$1
  export E2E_RECORDS=$kept/emitted.jsonl E2E_EVIDENCE=$kept/evidence
}
keep test
eval "$("$scripts/fetch" --path)"
distribution_first
# The assertion says why a test is red; who wants the backtrace too asks for it.
export RUST_BACKTRACE=${BACKTRACE:-0}

# tests NAME [ARGUMENT of nextest run...]: what the tests said goes to junit/NAME.xml. Every call builds for the whole
# workspace, so that all of them share one build; those of a group in .config/nextest.toml have an engine to themselves.
tests() {
  local name=$1 status=0 host profile=default said
  shift
  [[ " $* " != *' --profile long '* ]] || profile=long
  said=target/nextest/$profile/junit.xml
  host=$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)
  rm -f "$said"
  env "CARGO_TARGET_${host}_RUNNER=$check/on-engine" \
    cargo nextest run --locked --offline --workspace --cargo-quiet "$@" || status=$?
  mkdir -p "$kept/junit"
  [[ " $* " == *' --no-run '* ]] || cp "$said" "$kept/junit/$name.xml" || status=1
  return "$status"
}

# only_one: one run at a time in a checkout: they share target/. Others are those of other checkouts.
only_one() {
  mkdir -p target
  exec 6>target/.checks.lock
  flock -n 6 || cannot "locking: $root/target: other checks run in this checkout" 'wait for them, or use another clone'
}

# offline NAME [ARGUMENT...]: the check NAME.sh goes on in a place of its own, with everything fetched and an empty folder to
# keep things in.
offline() {
  keep "$1"
  if [[ -z ${APART-} ]]; then
    only_one
    "$scripts/fetch" test
    exec check/apart "$check/$1.sh" "${@:2}"
  fi
  rm -rf "$kept"
  mkdir -p "$kept"
}

# idle: hundredths of a second that the cores have had nothing to do since boot, per core.
idle() { awk -v cores="$(nproc)" '$1 == "cpu" { print int(($5 + $6) / cores) }' /proc/stat; }

# step NAME COMMAND...: its output here and in a log, one line of `steps`: NAME, seconds, seconds of waiting, exit code.
step() {
  local name=$1 status=0 started=$SECONDS waited shown
  shift
  waited=$(idle)
  printf '\n== %s\n' "$name"
  : >"$kept/${name// /-}.log"
  tail -n +1 -f -s 0.2 "$kept/${name// /-}.log" &
  shown=$!
  interruptible "$@" >"$kept/${name// /-}.log" 2>&1 || status=$?
  sleep 0.3 # until the rest of it is shown
  kill "$shown" 2>/dev/null || true
  wait "$shown" 2>/dev/null || true
  [[ -z $caught ]] || leave 1
  took "$name" "$((SECONDS - started))" "$((($(idle) - waited) / 100))" "$status"
}

# took NAME SECONDS WAITING STATUS
took() {
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$kept/steps"
  printf '== %s: %s after %d s\n' "$1" "$([[ $4 == 0 ]] && echo ok || echo "FAILED ($4)")" "$2"
}

# summary: what each step took, the tests that are red, and the totals of all. Exit 1 when anything is red.
summary() {
  local passed failed broken name
  printf '\n%-46s %8s %8s\n' step seconds waiting
  awk -F '\t' '{ printf "%-46s %8s %8s%s\n", $1, $2, $3, $4 == 0 ? "" : "  FAILED" }' "$kept/steps"
  [[ ! -e $kept/began ]] || printf '%-46s %8d\n' 'all, by the clock' $((EPOCHSECONDS - $(<"$kept/began")))
  if compgen -G "$kept/junit/*.xml" >/dev/null; then
    "${CARGO_TARGET_DIR:-$root/target}/debug/red" "$kept"/junit/*.xml >"$kept/red.log" || true
    sed '$d' "$kept/red.log"
  fi
  broken=$(awk -F '\t' '$4 != 0 { print "  " $1 }' "$kept/steps")
  # Every runner's closing lines.
  read -r passed failed < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' "$kept"/*.log | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
  if [[ -n $broken ]]; then
    printf '\nred steps:\n%s\n' "$broken"
    name=$(awk -F '\t' '$4 != 0 { print $1; exit }' "$kept/steps")
    printf 'what they said: %s\n' "$kept/${name// /-}.log"
    ((failed > 0)) || failed=1
  fi
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0 && passed > 0))
}
