#!/usr/bin/env bash
# unit.sh: unit and pipe tests, which need no engine, and what the tools emitted in them against the schema.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

offline unit
step 'unit and pipe tests' tests unit -E 'not (group(engine) | group(trio) | group(alone))'
step 'what the tools emitted against the schema' "${CARGO_TARGET_DIR:-$root/target}/debug/conform" "$E2E_RECORDS"
summary && leave 0
leave 1
