# shellcheck shell=bash
# lib.sh of the checks: sets the folders for logs and evidence, runs tests with nextest, and runs and times steps.
export REDFIX_ENV=/dev/null # ignore the operator's settings file
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
eval "$("$check/fetch" --path)"
distribution_first
# The assertion alone tells why a test failed. BACKTRACE=1 adds the backtrace.
export RUST_BACKTRACE=${BACKTRACE:-0}

# tests NAME [ARGUMENT of nextest run...]: run tests; their results go to junit/NAME.xml. Every call builds the whole
# workspace, so that all calls share one build. A test that belongs to a group in .config/nextest.toml gets its own engine.
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

# only_one: allow one run at a time in this checkout, because the runs share target/. Other checkouts do not matter.
only_one() {
  mkdir -p target
  exec 6>target/.checks.lock
  flock -n 6 || cannot "locking: $root/target: other checks run in this checkout" 'wait for them, or use another clone'
}

# offline NAME [ARGUMENT...]: fetch everything and run the check NAME.sh again inside check/apart. There, empty the folder of
# its results and return.
offline() {
  keep "$1"
  if [[ -z ${APART-} ]]; then
    only_one
    "$check/fetch" test
    exec check/apart "$check/$1.sh" "${@:2}"
  fi
  rm -rf "$kept"
  mkdir -p "$kept"
}

# idle: how long a core was idle since boot, in hundredths of a second, as the mean of all cores.
idle() { awk -v cores="$(nproc)" '$1 == "cpu" { print int(($5 + $6) / cores) }' /proc/stat; }

# step NAME COMMAND...: run the command; its output is printed and goes to a log. Adds a line to `steps`: name, seconds,
# seconds in which the cores were idle, exit code.
step() {
  local name=$1 status=0 started=$SECONDS waited shown
  shift
  waited=$(idle)
  printf '\n== %s\n' "$name"
  : >"$kept/${name// /-}.log"
  tail -n +1 -f -s 0.2 "$kept/${name// /-}.log" &
  shown=$!
  interruptible "$@" >"$kept/${name// /-}.log" 2>&1 || status=$?
  sleep 0.3 # tail looks every 0.2 s: wait until it has printed the rest
  kill "$shown" 2>/dev/null || true
  wait "$shown" 2>/dev/null || true
  [[ -z $caught ]] || leave 1
  took "$name" "$((SECONDS - started))" "$((($(idle) - waited) / 100))" "$status"
}

# took NAME SECONDS WAITING STATUS: record a finished step in `steps` and print it.
took() {
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$kept/steps"
  printf '== %s: %s after %d s\n' "$1" "$([[ $4 == 0 ]] && echo ok || echo "FAILED ($4)")" "$2"
}

# summary: print the time of each step, the failed tests, and the totals. Fails when anything is red.
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
  # Each runner ends with a line `N passed, M failed`.
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
