#!/usr/bin/env bash
# all.sh [long]: everything that CI runs: lint, unit and pipe tests, the engine script, and the whole flow on a real
# Swarm; on one node and on three; with `long` every end-to-end test. Prints totals at the end.
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

cd "$root"
long=$([[ ${1-} == long ]] && echo 1 || echo 0)
log=$(mktemp)
undo "rm -f '$log'"
"$scripts/check/packages.sh" test
mkdir -p "$root/target"
export EMITTED_RECORDS=$root/target/emitted.jsonl
# Seconds: of all together.
limit=$((long ? 8 * 3600 : 75 * 60))
steps=0 broken=()
step() {
  local name=$1 status=0 started=$SECONDS
  shift
  steps=$((steps + 1))
  printf '\n== %s\n' "$name"
  interruptible "$@" > >(tee -a "$log") 2>&1 || status=$?
  [[ -z $caught ]] || leave 1
  printf '== %s: %s after %d s\n' "$name" "$([[ $status == 0 ]] && echo ok || echo "FAILED ($status)")" $((SECONDS - started))
  ((status == 0)) || broken+=("$name")
}

# e2e TEST... [-- OPTION...]: end-to-end tests by name, one at a time: they share the engine. What hangs is ended in time
# for the totals.
e2e() {
  local names=() left=$((limit - SECONDS))
  while (($#)) && [[ $1 != -- ]]; do
    names+=(--test "$1")
    shift
  done
  # In the place of this shell: a signal to the step reaches the tests.
  exec timeout --kill-after=1m "$((left > 60 ? left : 60))" \
    cargo test --locked --no-fail-fast -p e2e "${names[@]}" -- --test-threads=1 "${@:2}"
}

step 'lint' scripts/check/lint.sh
step 'build' cargo build --locked --workspace --all-targets --quiet
step 'unit and pipe tests' make -s unit
step 'fuzz targets over their seeds' scripts/check/fuzz.sh check
step 'the report in a browser' scripts/check/page.sh
step 'engine' scripts/check/engine.sh
undo "engine down --name test"
step 'engine for the tests' engine up --name test
eval "$(engine env --name test)"
export DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODES
step 'images' scripts/images/build
export REDFIX_BIN=$root/target/debug
step 'tests on a real swarm' e2e isolate converge command loaded cut guard_run guard_raw guard_clients slots domain domain_probe \
  snap snap_faults snap_secrets faults campaign
step 'sweep, plan, doctor' e2e redfix -- --skip two_recipes
step 'the rows' e2e row_keycloak row_mattermost_lts
step 'the other rows, shortened' e2e rows_short
if ((long)); then
  step 'longer tests on a real swarm' e2e teardown domain_storm report_bundle
  step 'the whole flow, and interrupted' e2e flow
  step 'more rows, and promoting' e2e promote row_bluesky_pds row_gitea row_discourse
  step 'the flow of several recipes, the examples, unseen stacks' e2e redfix examples unseen
  step 'all rows in another order' e2e whole
  step 'the Debian package on a clean Debian' scripts/check/deb.sh
  step 'cargo install of each tool' scripts/check/cargo-install.sh
else
  step 'teardown' e2e teardown -- --skip twenty_deploys
  step 'the whole flow' e2e flow -- --skip five_interruptions
  cat <<'END'

shortened here: bluesky-pds, gitea and discourse to their decisive runs, one for each condition (rows_short). Left out are their
verdicts, pull requests and trial promotions, bluesky-pds's fix leased-domain, gitea's fix clean-redeploy and its contrast
version, discourse's fix progress under load.
not run here, run by make test-long: row_bluesky_pds, row_gitea, row_discourse, whole (all rows), unseen, promote, examples,
domain_storm, report_bundle, twenty deploys on a small network of teardown, the five interruptions of flow, two recipes and
swapped fixes of redfix, the Debian package, cargo install
END
fi
engine down --name test
undo "engine down --name trio"
step 'an engine of three nodes' engine up --name trio --nodes 3
eval "$(engine env --name trio)"
export DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODE_ADDRS REDFIX_NODES
step 'images for three nodes' scripts/images/build busybox
step 'tests on three nodes' e2e nodes domain_nodes snap_nodes
step 'all that the tools emitted, against the schema' cargo run --locked --quiet -p e2e --bin conform "$EMITTED_RECORDS"

# Totals over every runner's closing lines.
read -r passed failed < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
  /^test result:/ { p += $4; f += $6 }
  /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
  END { print p + 0, f + 0 }')
((${#broken[@]} == 0)) || printf 'broken: %s\n' "${broken[*]}"
((failed > 0 || ${#broken[@]} == 0)) || failed=${#broken[@]}
printf '\n%d passed, %d failed\n' "$passed" "$failed"
leave $((failed > 0 || passed == 0))
