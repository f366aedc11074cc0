# shellcheck shell=bash
# The engine's own swarm: node 1 makes it, the others join as managers.

# swarm_state NODE: inactive, pending, active, locked or error.
swarm_state() {
  dock "$1" info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null || printf 'unknown\n'
}

# ensure_swarm: every node is a member; a node that has been one goes on.
ensure_swarm() {
  local node token=''
  for node in $(node_names); do
    [[ $(swarm_state "$node") == inactive ]] || continue
    if [[ $node == n1 ]]; then
      phase "making the swarm ..."
      swarm_do n1 init --default-addr-pool "$SWARM_POOL" --default-addr-pool-mask-length 24
    else
      phase "joining node $node ..."
      [[ -n $token ]] || token=$(dock n1 swarm join-token -q manager)
      swarm_do "$node" join --token "$token" "$(node_addr n1):2377"
    fi
  done
  wait_swarm
}

# swarm_do NODE init|join ARGUMENT...: with this node's addresses; a busy machine gets a second try.
swarm_do() {
  local node=$1 addr output
  addr=$(node_addr "$node")
  set -- swarm "$2" --advertise-addr "$addr" --listen-addr "$addr:2377" --data-path-addr "$addr" "${@:3}"
  output=$(patience=40 dock "$node" "$@" 2>&1) && return 0
  sleep 1
  case $(swarm_state "$node") in
    active | pending) return 0 ;;
  esac
  output=$(patience=40 dock "$node" "$@" 2>&1) ||
    die 75 "making the swarm: node $node: $(tail -n 1 <<<"$output")" "scripts/engine down --name $NAME, then up again"
}

# wait_swarm: all nodes are managers that reach one another.
wait_swarm() {
  local deadline=$((SECONDS + 45)) ready
  phase "waiting for $SIZE ready node(s) ..."
  while :; do
    ready=$(dock n1 node ls --format '{{.Status}}/{{.ManagerStatus}}' 2>/dev/null | grep -cE '^Ready/(Leader|Reachable)$' || true)
    ((ready >= SIZE)) && return 0
    ((SECONDS <= deadline)) ||
      die 75 "waiting for the swarm: $NAME: $ready of $SIZE nodes are ready after 45 s" \
        "scripts/engine down --name $NAME throws its data away; then up again"
    sleep 0.2
  done
}
