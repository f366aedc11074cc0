#!/usr/bin/env bash
# quick.sh: what a developer runs before each commit: lint of what changed since the last one, unit and pipe tests, one run on
# an engine.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

offline quick
step 'lint of what changed' check/lint.sh changed
step 'unit and pipe tests' tests unit -E 'not (group(engine) | group(trio) | group(alone))'
step 'one run' tests run -E 'binary_id(=e2e::isolate) & test(=success_leaves_nothing_and_proves_it)'
summary && leave 0
leave 1
