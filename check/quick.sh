#!/usr/bin/env bash
# quick.sh: the checks before each commit: lint of the files that changed since the last one, unit and pipe tests, and one
# run on an engine.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

offline quick
step 'lint of what changed' check/lint.sh changed
step 'unit and pipe tests' tests unit -E 'not (group(engine) | group(trio) | group(alone))'
step 'one run' tests run -E 'binary_id(=e2e::isolate) & test(=success_leaves_nothing_and_proves_it)'
summary && leave 0
leave 1
