#!/usr/bin/env bash
# redfix-report.sh: compares a report on 100,000 cases with 1 million records with flake-classify on the same file, and
# measures the report's peak memory.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
cargo run --quiet --release -p flake-classify --example generate 1000000 100000 >"$work/ledger.jsonl"

# Exit 1 is expected: the cases of this ledger are undecided, so the gates fail.
# shellcheck disable=SC2329,SC2317 # called by name
report() { redfix-report --format "$1" --max-bytes 1MiB --out "$work/page" "$work/ledger.jsonl" || (($? == 1)); }
# shellcheck disable=SC2329,SC2317
read_it() { flake-classify <"$work/ledger.jsonl"; }

for format in md html; do
  BENCH_RUNS=3 versus "report: 100,000 cases, 1 M records to $format" 'flake-classify, same file' '<= 2' "report $format" read_it
done
status=0
peak=$(/usr/bin/time -f %M redfix-report --format html --out "$work/page" "$work/ledger.jsonl" 2>&1 >/dev/null | tail -1) || status=$?
((status <= 1))
row 'report: peak memory of that' 'absolute' "$((peak / 1024))" - MiB '<= 256'
