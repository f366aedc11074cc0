# shellcheck shell=bash
# The four commands with --host: look at a manager that exists, change nothing.

# host_info FORMAT: ask the engine that the caller's environment names.
host_info() {
  timeout 20 docker info --format "$1" 2>&1
}

host_endpoint() {
  if [[ -n ${DOCKER_HOST:-} ]]; then
    printf '%s\n' "$DOCKER_HOST"
  else
    timeout 20 docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || printf 'unix:///var/run/docker.sock\n'
  fi
}

# host_require CODE: the engine answers (else CODE) and is a Swarm manager (else 2).
host_require() {
  local endpoint answer
  [[ -x $(command -v docker) ]] || die 2 "asking the host's engine: docker: no such program" "apt-get install docker-cli or, on Debian 12, docker.io"
  endpoint=$(host_endpoint)
  answer=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1) ||
    die "$1" "asking the host's engine: $endpoint: ${answer##*$'\n'}" "set DOCKER_HOST, or use the private engine: leave --host out"
  answer=$(host_info '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')
  [[ $answer == *"active true"* ]] ||
    die 2 "asking the host's engine: $endpoint: not a Swarm manager" \
      "name a manager with DOCKER_HOST; this script never makes a swarm there" "or use the private engine: leave --host out"
}

host_up() {
  host_require 75
}

host_down() {
  say "--host: nothing to do, the host's engine stays as it is"
}

host_env() {
  host_require 75
  local endpoint name addr
  endpoint=$(host_endpoint)
  name=$(host_info '{{.Name}}')
  addr=$(host_info '{{.Swarm.NodeAddr}}')
  if [[ $endpoint == unix://* ]]; then addr=127.0.0.1; fi
  printf 'export DOCKER_HOST=%s\n' "$endpoint"
  printf 'export REDFIX_NODE_ADDR=%s\n' "$addr"
  printf 'export REDFIX_NODES="%s=%s"\n' "$name" "$endpoint"
}

host_status() {
  (host_require 75) || return 1
  printf 'host: %s\n' "$(host_endpoint)"
  host_info '  {{.Name}} {{.Swarm.NodeAddr}}: swarm {{.Swarm.LocalNodeState}}, {{.Swarm.Nodes}} node(s), {{.ContainersRunning}} container(s) running, {{.Images}} image(s), engine {{.ServerVersion}}'
}
