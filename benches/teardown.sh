#!/usr/bin/env bash
# teardown.sh: compares the time from the end of a run's command until swarm-isolate has proved that nothing is left with
# the least time that the engine needs (teardown-floor.py).
#
# Needs an engine in DOCKER_HOST with redfix/busybox. The time of swarm-isolate ends when it exits, so it includes the proof
# and the record. Each stack has BENCH_SERVICES services (default 3).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

: "${DOCKER_HOST:?the engine to measure on}" "${BENCH_SERVICES:=3}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

{
  printf 'version: "3.8"\nservices:\n'
  for ((n = 0; n < BENCH_SERVICES; n++)); do
    printf '  s%s: {image: "redfix/busybox:latest", command: [sleep, "3600"], stop_signal: SIGKILL, networks: [net], ' "$n"
    printf 'volumes: ["data%s:/data"], configs: [c], secrets: [s], deploy: {endpoint_mode: dnsrr}}\n' "$n"
  done
  printf 'networks: {net: {driver: overlay}}\nconfigs: {c: {file: ./c}}\nsecrets: {s: {file: ./c}}\nvolumes:\n'
  for ((n = 0; n < BENCH_SERVICES; n++)); do printf '  data%s: {}\n' "$n"; done
} >compose.yml
printf x >c

# deploy STACK: deploy the stack and wait until all services run.
cat >deploy <<'END'
docker stack deploy --resolve-image never -c compose.yml "$1" >/dev/null 2>&1
until [ "$(docker ps -q --filter label=com.docker.stack.namespace="$1" | wc -l)" = "$BENCH_SERVICES" ]; do sleep 0.1; done
END
export BENCH_SERVICES

# ours: seconds from the command's last act to the tool's end.
ours() {
  # shellcheck disable=SC2016 # the command's own shell knows the stack
  swarm-isolate --domain bench.ci.example --max-foreign-cpu 2 -- \
    sh -c 'sh ./deploy "$REDFIX_STACK" && date +%s.%N >ended' >/dev/null
  awk -v from="$(cat ended)" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.6f\n", to - from }'
}

floor() {
  sh ./deploy "bench-floor-$$"
  python3 "$benches/teardown-floor.py" "bench-floor-$$"
}

ours >/dev/null && floor >/dev/null
mine='' other=''
for ((run = 0; run < BENCH_RUNS; run++)); do
  mine+=$(ours)$'\n'
  other+=$(floor)$'\n'
done
floor=$(median <<<"${other%$'\n'}")
less=$(median <<<"${mine%$'\n'}" | awk '{ printf "%.6f", $1 - 0.1 }')
row "teardown of $BENCH_SERVICES services until proved empty, less 100 ms" 'the same deletes, polled every 10 ms' \
  "$less" "$floor" s '<= 1.1'
