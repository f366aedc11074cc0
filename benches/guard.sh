#!/usr/bin/env bash
# guard.sh: measures what swarm-guard costs: `docker stack deploy` of ten services and 128 MiB of `docker logs`, by turns
# through the guard and directly; and the guard's peak memory. Needs an engine with redfix/busybox.
# shellcheck source=benches/lib.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

: "${DOCKER_HOST:?scripts/engine up, then eval its env}"
: "${BENCH_LOG_MIB:=128}"
engine=$DOCKER_HOST
work=$(mktemp -d)
guard=unix://$work/docker.sock stack=bench
run=''

# finish: remove what was made and end the guard.
finish() {
  docker -H "$engine" rm -fv "${stack}_small" "${stack}_large" >/dev/null 2>&1 || true
  [[ -z $run ]] || { kill "$run" && wait "$run"; } || true
  docker -H "$engine" stack rm bench-guarded bench-direct >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

# stand: start a guard and wait until it listens.
stand() {
  swarm-guard --owner "$stack" --allow 'stack=bench-*' --socket "$work/docker.sock" >"$work/told" &
  run=$!
  until grep -q guard.started "$work/told"; do
    kill -0 "$run" && sleep 0.05
  done
}

# compose: ten services with a network, a config and a secret. They have no tasks, so that only the API calls are measured.
compose() {
  printf 'version: "3.8"\nservices:\n'
  for n in {0..9}; do
    printf '  s%d: {image: "redfix/busybox:latest", networks: [net], configs: [c], secrets: [s], deploy: {replicas: 0, endpoint_mode: dnsrr}}\n' "$n"
  done
  printf 'networks: {net: {driver: overlay}}\nconfigs: {c: {file: ./compose}}\nsecrets: {s: {file: ./compose}}\n'
}

# deploy HOST NAME: print the seconds that one deploy takes, then remove the stack.
deploy() {
  seconds docker -H "$1" stack deploy --resolve-image never -c "$work/compose" "$2" 2>/dev/null
  docker -H "$1" stack rm "$2" >/dev/null 2>&1
  until [[ -z $(docker -H "$1" network ls -q --filter "name=$2") ]]; do sleep 0.1; done
}

# deploys: compare the deploy of ten services through the guard with a direct one.
deploys() {
  local mine='' other='' n
  deploy "$guard" bench-guarded >/dev/null
  deploy "$engine" bench-direct >/dev/null
  for ((n = 0; n < BENCH_RUNS; n++)); do
    mine+=$(deploy "$guard" bench-guarded)$'\n'
    other+=$(deploy "$engine" bench-direct)$'\n'
  done
  row 'docker stack deploy of ten services through the guard' direct \
    "$(median <<<"${mine%$'\n'}")" "$(median <<<"${other%$'\n'}")" s '<= 1.1'
}

# logged NAME MIB: make a container whose log has this size, in lines of half a kilobyte.
logged() {
  local line
  printf -v line '%0511d' 0
  docker -H "$guard" run -d --name "$1" redfix/busybox:latest sh -c "yes $line | head -c ${2}m" >/dev/null
  docker -H "$guard" wait "$1" >/dev/null
}

rate() { awk -v mib="$1" -v s="$2" 'BEGIN { printf "%.3f\n", mib / s }'; }

# peak: largest resident memory of the guard so far, in KiB.
peak() { awk '/^VmHWM:/ { print $2 }' "/proc/$run/status"; }

# logs: compare reading a large log through the guard with reading it directly, and the guard's memory before and after.
logs() {
  local mine='' other='' n small
  logged "${stack}_small" 8
  logged "${stack}_large" "$BENCH_LOG_MIB"
  for n in 1 2 3; do docker -H "$guard" logs "${stack}_small" >/dev/null; done
  small=$(peak)
  for ((n = 0; n < BENCH_RUNS; n++)); do
    mine+=$(rate "$BENCH_LOG_MIB" "$(seconds docker -H "$guard" logs "${stack}_large")")$'\n'
    other+=$(rate "$BENCH_LOG_MIB" "$(seconds docker -H "$engine" logs "${stack}_large")")$'\n'
  done
  row "$BENCH_LOG_MIB MiB of docker logs through the guard" direct \
    "$(median <<<"${mine%$'\n'}")" "$(median <<<"${other%$'\n'}")" MiB/s '>= 0.9'
  row "peak memory after $BENCH_LOG_MIB MiB of docker logs" 'after 8 MiB' "$(peak)" "$small" KiB '<= 1.1'
}

stand
compose >"$work/compose"
deploys
logs
