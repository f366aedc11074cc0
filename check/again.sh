#!/usr/bin/env bash
# again.sh TEST...: run the named tests one at a time: BINARY or BINARY::TEST, as `make test` prints them when they fail. A
# test that needs a Swarm gets a private engine. Everything runs offline. N=10 runs each test ten times.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

(($#)) || cannot 'reading arguments: TEST: missing' 'make again T=snap, or T=snap::no_secret_reaches_the_disk'
offline again "$@"
mapfile -t binaries < <(cargo nextest list --locked --offline --workspace --cargo-quiet --list-type binaries-only \
  --message-format json | jq -r '."rust-binaries" | keys[]')
status=0 number=0
for name; do
  filter=''
  # A name may leave out the prefix `e2e::` of nextest's binary ids.
  for binary in "${binaries[@]}"; do
    case $name in
      "$binary" | "${binary#e2e::}") filter+=" | binary_id(=$binary)" ;;
      "$binary"::*) filter+=" | (binary_id(=$binary) & test(=${name#"$binary"::}))" ;;
      "${binary#e2e::}"::*) filter+=" | (binary_id(=$binary) & test(=${name#"${binary#e2e::}"::}))" ;;
    esac
  done
  [[ -n $filter ]] || cannot "looking for $name: no such test" 'BINARY or BINARY::TEST, as a red run names it'
  number=$((number + 1))
  tests "$number" --profile long --test-threads 1 --stress-count "${N:-1}" -E "none()$filter" || status=$?
done
"${CARGO_TARGET_DIR:-$root/target}/debug/red" "$kept"/junit/*.xml || status=1
leave "$status"
