#!/usr/bin/env bash
# all.sh [long]: everything that CI runs: what is needed is fetched; then, where nothing can be downloaded any more: lint,
# unit and pipe tests, the fuzz targets' seeds, the report in a browser, the engine script, and the flow on real Swarms.
# With `long` every test and check there is. What is kept lies in target/test; the last line has the totals.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# One of what takes longer than CI may, another one with each commit.
TURNS=('binary(domain_storm)' 'binary(report_bundle)' 'binary(promote)' 'binary(examples)' 'binary(row_gitea)'
  'test(=twenty_deploys_in_a_row_leak_no_address_of_a_small_shared_network)' 'binary(row_bluesky_pds)')

# beside NAME COMMAND...: a step in the background, by what is left of the cores; its output is in its log, and here at the
# end.
beside() {
  (
    name=$1 status=0 started=$SECONDS
    nice -n 19 "${@:2}" >"$kept/${name// /-}.log" 2>&1 </dev/null || status=$?
    printf '\n== %s (beside the tests)\n' "$name"
    cat "$kept/${name// /-}.log"
    took "$name" "$((SECONDS - started))" - "$status"
  ) &
}

# inside: in a place of its own, offline.
inside() {
  local profile=default turn
  turn=${TURNS[16#$(git rev-parse HEAD | cut -c1-7) % ${#TURNS[@]}]}
  if [[ $long == 1 ]]; then
    profile=long turn='none()'
    export E2E_STORM_SECONDS=120
  fi
  step 'build' cargo build --locked --offline --workspace --all-targets --quiet
  step 'tests that measure isolation' tests alone --profile "$profile" -E 'group(alone)'
  # With the tests' binaries at hand: what lint builds waits for nobody who waits for it.
  tests build-only --no-run
  beside 'lint' check/lint.sh
  beside 'engine script' check/engine.sh
  [[ $long == 1 ]] || echo "of the long tests, it is the turn of $turn"
  step 'tests' tests rest --profile "$profile" --ignore-default-filter -E "(default() | $turn) & not group(alone)"
  wait
  step 'fuzz targets over their seeds' check/fuzz.sh check
  step 'the report in a browser' check/page.sh
  [[ $long == 0 ]] || step 'cargo install of each tool' check/cargo-install.sh
  step 'what the tools emitted against the schema' "${CARGO_TARGET_DIR:-$root/target}/debug/conform" "$E2E_RECORDS"
  leave 0
}

long=0
case ${1-} in
  long) long=1 ;;
  --inside)
    [[ -n ${APART-} ]] || cannot 'reading arguments: --inside: not in a place of its own' 'make test'
    long=$2
    inside
    ;;
  '') ;;
  *) cannot "reading arguments: $*: expected long or nothing" 'make test, make test-long' ;;
esac
only_one
rm -rf "$kept"
mkdir -p "$kept/evidence"
printf '%s\n' "$EPOCHSECONDS" >"$kept/began"
step 'fetch' "$scripts/fetch" test
[[ $(tail -n 1 "$kept/steps" | cut -f4) == 0 ]] || { summary || leave 1; }
status=0
# What is called here ends with this script, however it ends.
interruptible setpriv --pdeathsig TERM -- check/apart "$check/all.sh" --inside "$long" || status=$?
[[ -z $caught ]] || leave 1
if [[ $long == 1 ]]; then
  step 'the Debian package on a clean Debian' check/apart --online check/deb.sh
  step 'the README on fresh machines' check/fresh.sh
else
  cat <<'END'

shortened here: bluesky-pds, gitea and discourse to their decisive runs, one for each condition (rows_short). Left out are their
verdicts, pull requests and trial promotions, bluesky-pds's fix leased-domain, gitea's fix clean-redeploy and its contrast
version, discourse's fix progress under load.
The storm on the slots takes 45 s in place of 120.
not run here but for one in turn, by the commit's hash: row_bluesky_pds, row_gitea, promote, examples, domain_storm,
report_bundle, twenty deploys on a small network of teardown
not run here, run by make test-long as those: row_discourse, whole (all rows), unseen, the five interruptions of flow, two
recipes and swapped fixes of redfix, the Debian package, cargo install, the README on fresh machines
END
fi
((status == 0)) || took 'the place of its own' 0 0 "$status"
summary && leave 0
leave 1
