#!/usr/bin/env bash
# flake-classify.sh: measures pass-through and verdicts on a ledger of a million records (273 MB) against DuckDB's group-by
# on two cores and against jq | sort | uniq -c, which only count; and the peak memory with ten million records.
#
# usage: benches/flake-classify.sh     BENCH_RUNS=5 runs each; jq, which takes long, runs once
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

work=$root/target/bench
venv=${REDFIX_CACHE:-/var/cache/redfix}/bench
ledger=$work/million.jsonl
trap 'rm -f "$ledger"' EXIT

mkdir -p "$work"
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import duckdb' 2>/dev/null || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.0
generate=$(example flake-classify generate)
"$generate" 1000000 2000 >"$ledger"

classify() { taskset -c 0,1 flake-classify --quiet <"$ledger"; }
# shellcheck disable=SC2016 # Python, not shell
group_by() {
  taskset -c 0,1 "$venv/bin/python" -c '
import duckdb, sys
duckdb.execute("SET threads = 2")
found = duckdb.execute("""SELECT "case", outcome, count(*) FROM read_json(?, format = $$newline_delimited$$) GROUP BY ALL""", [sys.argv[1]]).fetchall()
assert len(found) > 2000' "$ledger"
}
count() { jq -r 'select(.type == "test.finished") | [.case, .outcome] | join(" ")' "$ledger" | sort | uniq -c; }

versus 'a million records, passed on and judged' 'DuckDB: read_json, group by' '<= 1' classify group_by
row 'a million records, passed on and judged' 'jq | sort | uniq -c (one run)' \
  "$(for ((n = 0; n < BENCH_RUNS; n++)); do seconds classify; done | median)" "$(seconds count)" s '<= 0.0667'

# Ten million records are 2.8 GB: they go through a pipe instead of a file.
ten_million() {
  "$generate" 10000000 2000 | /usr/bin/time -f %M -o "$work/peak" flake-classify --quiet >/dev/null
  tail -1 "$work/peak"
}
row 'ten million records of 2,000 cases' 'peak memory' "$(ten_million)" - KiB '<= 65536'
