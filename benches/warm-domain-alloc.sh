#!/usr/bin/env bash
# warm-domain-alloc.sh: compares the leases per second of many processes with the engine's own rate of creating configs, and
# a probe of sixteen domains at once with a probe of the slowest one. Needs an engine (DOCKER_HOST, REDFIX_NODE_ADDR).
#
# BENCH_PROCESSES (default 40), BENCH_EACH (25) and BENCH_SERVICES (500) set its size.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

: "${BENCH_PROCESSES:=40}" "${BENCH_EACH:=25}" "${BENCH_SERVICES:=500}" "${DOCKER_HOST:?needs an engine}"
raw=$(example warm-domain-alloc raw_configs)
id=bench$$ work=$(mktemp -d)
servers=()

# clear_configs: remove the configs that one run left, tombstones of released leases included.
clear_configs() {
  docker config ls -q --filter "label=$id" --filter "name=$id" | xargs -r -n 200 docker config rm >/dev/null
  docker config ls -q --filter "label=redfix.investigation=$id" | xargs -r -n 200 docker config rm >/dev/null
}

clean_up() {
  clear_configs
  docker service ls -q --filter "label=$id" | xargs -r -n 100 docker service rm >/dev/null
  ((${#servers[@]} == 0)) || kill "${servers[@]}"
  rm -rf "$work"
}
trap clean_up EXIT

# services: create the services whose names and rules every lease is checked against. They have no tasks. curl creates eight
# at a time.
services() {
  local n
  for ((n = 0; n < BENCH_SERVICES; n++)); do
    jq -cn --arg name "$id-$n" --arg id "$id" --arg n "$n" '{Name: $name, Mode: {Replicated: {Replicas: 0}},
      Labels: {($id): "", "com.docker.stack.namespace": "live\($n)_ci_example",
        "traefik.enable": "true", "traefik.http.routers.live\($n).rule": "Host(`live\($n).ci.example`)"},
      TaskTemplate: {ContainerSpec: {Image: "none"}}}' >"$work/service-$n"
    printf '%s\n' "$work/service-$n"
  done | xargs -P 8 -I FILE curl -fsS --unix-socket "${DOCKER_HOST#unix://}" -o /dev/null -X POST \
    -H 'Content-Type: application/json' -d @FILE http://engine/services/create
}

# many COMMAND...: run the command BENCH_PROCESSES times at once, each with its number as last argument. All must succeed.
many() {
  local n pids=()
  for ((n = 0; n < BENCH_PROCESSES; n++)); do
    "$@" "$n" >/dev/null &
    pids+=($!)
  done
  for n in "${pids[@]}"; do wait "$n"; done
}

lease() {
  warm-domain-alloc --base bench.test --shared-network proxy --investigation "$id" --holder "$round-$1" <"$work/cases"
}

create() { "$raw" "$id-$round-$1" "$BENCH_EACH" "$id"; }

allocations() {
  local ours='' theirs='' total=$((BENCH_PROCESSES * BENCH_EACH)) n
  for ((n = 0; n < BENCH_EACH; n++)); do
    printf '{"type":"case.failed","v":1,"case":"r%dx@1/t","recipe":"r%dx","version":"1","test":"t","stage":"custom","source":"bench"}\n' "$n" "$n"
  done >"$work/cases"
  for ((round = 0; round < BENCH_RUNS; round++)); do
    theirs+=$(seconds many create)$'\n'
    clear_configs
    ours+=$(seconds many lease)$'\n'
    n=$(docker config ls -q --filter "label=redfix.investigation=$id" | wc -l)
    ((n == total)) || { echo "bench: $n leases, not $total" >&2 && return 1; }
    clear_configs
  done
  rate() { median <<<"${1%$'\n'}" | awk -v total="$total" '{ printf "%.1f", total / $1 }'; }
  row "leases, $BENCH_PROCESSES processes x $BENCH_EACH, $BENCH_SERVICES services" 'config create' \
    "$(rate "$ours")" "$(rate "$theirs")" per-s '>= 0.5'
}

# Sixteen web servers that answer after 50 to 425 ms, probed all at once, and the slowest one alone.
probes() {
  local n ports=()
  python3 - "$work/ports" <<'PYTHON' &
import http.server, sys, threading, time

def handler(delay):
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Slow

servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(0.05 + 0.025 * n)) for n in range(16)]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
with open(sys.argv[1] + ".part", "w") as out:
    out.writelines(f"{server.server_address[1]}\n" for server in servers)
import os
os.rename(sys.argv[1] + ".part", sys.argv[1])
threading.Event().wait()
PYTHON
  servers+=($!)
  while [[ ! -e $work/ports ]]; do sleep 0.05; done
  mapfile -t ports <"$work/ports"
  for n in "${!ports[@]}"; do printf 'http://warm%d.bench.test:%d\n' "$n" "${ports[n]}"; done >"$work/domains"
  tail -n 1 "$work/domains" >"$work/slowest"
  probe() { warm-domain-alloc probe --resolve 127.0.0.1 --investigation "$id" --from "$1"; }
  versus 'probe 16 domains' 'the slowest alone' '<= 1.5' "probe '$work/domains'" "probe '$work/slowest'"
}

services
allocations
probes
