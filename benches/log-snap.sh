#!/usr/bin/env bash
# log-snap.sh: compares taking a stack's logs (redacted, compressed, hashed) with `docker service logs >/dev/null`; measures
# log-snap's peak memory, the speed of the redactor alone, and the CPU time of attach. Needs a private engine: DOCKER_HOST.
# With BENCH_FULL=1 it takes 4 GB of logs instead of 240 MB.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

: "${DOCKER_HOST:?eval \"\$(scripts/engine env)\" first}" "${BENCH_FULL:=0}"
redact_speed=$(example log-snap redact_speed)
unset REDFIX_NODES REDFIX_LEDGER_DIR REDFIX_EVIDENCE
work=$(mktemp -d)
stack=bench$$
trap 'docker stack rm "$stack" >/dev/null 2>&1; rm -rf "$work"' EXIT

# deploy NAME LINES COUNT: deploy COUNT services that log LINES access lines of 120 bytes each, and wait for the last line.
deploy() {
  local name=$1 lines=$2 count=$3 n
  {
    printf 'version: "3.8"\nservices:\n'
    for ((n = 1; n <= count; n++)); do
      cat <<YAML
  $name$n:
    image: redfix/busybox:latest
    environment: {DB_PASSWORD: s3cr3t-number-$n}
    logging: {driver: json-file}
    stop_signal: SIGKILL
    deploy: {endpoint_mode: dnsrr}
    command: ["/bin/sh", "-c", "awk 'BEGIN{for(i=0;i<$lines;i++) printf \"10.0.%d.%d - - [12/Mar/2026:10:%02d:%02d +0000] \\\\\"GET /api/v1/items/%d HTTP/1.1\\\\\" 200 %d upstream=app %d ms ref=%06d\\\\n\", i%256, (i*7)%256, (i/60)%60, i%60, i*17%100000, i*31%50000, i%97, i}'; echo END; exec sleep 100000"]
YAML
    done
  } >"$work/$name.yml"
  docker stack deploy --resolve-image never -c "$work/$name.yml" "$stack" >/dev/null 2>&1
  for ((n = 1; n <= count; n++)); do wait_for_end "${stack}_$name$n"; done
}

# wait_for_end SERVICE: wait until its task has logged END.
wait_for_end() {
  local id tries
  for ((tries = 0; tries < 1800; tries++)); do
    id=$(docker ps -q --filter "label=com.docker.swarm.service.name=$1")
    [[ -z $id || $(docker logs --tail 1 "$id") != END ]] || return 0
    sleep 1
  done
  echo "bench: $1 never came to its end" >&2
  return 1
}

# remove: remove the stack and wait until nothing of it is left.
remove() {
  docker stack rm "$stack" >/dev/null 2>&1
  until [[ -z $(docker ps -aq --filter "label=com.docker.stack.namespace=$stack")$(docker network ls -q --filter "label=com.docker.stack.namespace=$stack") ]]; do sleep 1; done
}

# snap ARG...: take one bundle. Exit 1 is accepted: it says that a log exceeded --max-bytes and the bundle has a gap.
snap() {
  rm -rf "$work/snap"
  local status=0
  log-snap -q --stack "$stack" --out "$work/snap" --deadline 30m --idle 1m "$@" >"$work/record" || status=$?
  ((status <= 1))
}
services() { docker stack services --format '{{.Name}}' "$stack" | while read -r name; do timeout 30m docker service logs "$name" || return; done; }

deploy one 300000 1
versus 'one service, 300,000 lines, by its file' 'docker service logs >/dev/null' '<= 0.1' 'snap --max-bytes 1GiB' 'services 2>/dev/null'
jq -e '.complete and .lines == 300001' "$work/record" >/dev/null
versus 'one service, 300,000 lines, by the API' 'docker service logs >/dev/null' '<= 0.5' 'snap --no-files --max-bytes 1GiB' 'services 2>/dev/null'
remove

if [[ $BENCH_FULL == 1 ]]; then lines=1700000 said='20 services, 34 M lines, 4 GB'; else lines=100000 said='20 services, 2 M lines, 240 MB'; fi
deploy many "$lines" 20
BENCH_RUNS=1 versus "$said, by their files" 'docker service logs >/dev/null' '<= 0.1' 'snap' 'services 2>/dev/null'
row "$said: peak memory" '-' "$(peak_kib log-snap -q --stack "$stack" --out "$work/peak" --deadline 30m || true)" - KiB '<= 65536'
remove

row 'redaction of ordinary log text on one core' '-' "$("$redact_speed")" - MiB/s '>= 250'

# The share of one core that attach uses over 20 seconds while a service writes 5,000 lines a second.
cat >"$work/steady.yml" <<YAML
version: "3.8"
services:
  steady:
    image: redfix/busybox:latest
    stop_signal: SIGKILL
    deploy: {endpoint_mode: dnsrr}
    command: ["/bin/sh", "-c", "while true; do awk 'BEGIN{for(i=0;i<500;i++) printf \"10.0.0.1 GET /api/v1/items/%d 200 upstream=app and some more words to make it an ordinary line of one hundred bytes\\\\n\", i}'; sleep 0.1; done"]
YAML
docker stack deploy --resolve-image never -c "$work/steady.yml" "$stack" >/dev/null 2>&1
began=$EPOCHREALTIME
log-snap attach -q --stack "$stack" --out "$work/attach" >"$work/record" &
attach=$!
sleep 5
ticks() { awk '{ print $14 + $15 }' "/proc/$attach/stat"; }
before=$(ticks) start=$EPOCHREALTIME
sleep 20
after=$(ticks) end=$EPOCHREALTIME
kill "$attach"
wait "$attach" || true
rate=$(awk -v n="$(jq .lines "$work/record")" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", n / (b - a) }')
share=$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v a="$start" -v b="$end" 'BEGIN { printf "%.2f\n", 100 * t / hz / (b - a) }')
row "attach at $rate lines a second" '-' "$share" - '% of one core' '<= 5'
