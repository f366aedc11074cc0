# shellcheck shell=bash
# The four commands for a private engine.

private_up() {
  require_machine
  set_paths
  if already_up; then return 0; fi
  ensure_packages
  take_lock
  UNDO='' STOPPED='' STARTED=()
  trap finish_up EXIT
  trap 'STOPPED=INT; exit 130' INT
  trap 'STOPPED=TERM; exit 143' TERM
  trap 'STOPPED=HUP; exit 129' HUP
  if already_up; then return 0; fi
  if ! load_state; then
    UNDO=all SIZE=${NODES:-1}
    clear_engine || die 75 "clearing what a dead up left: $NAME: see above" # it died before its state was whole
    # Until the bridge has its address, another engine would choose the same.
    machine_lock
    choose_prefixes
    save_state
    make_bridge
    machine_unlock
  elif [[ -n $NODES && $NODES != "$SIZE" ]]; then
    wrong_size "has data of"
  fi
  UNDO=${UNDO:-started}
  start_engine
  UNDO=''
}

# already_up: all of it runs and answers; the wrong number of nodes is an error.
already_up() {
  local node
  load_state || return 1
  for node in $(node_names); do
    node_alive "$node" && node_answers "$node" || return 1
  done
  [[ -e $DATA/ready ]] || return 1
  if forward_drops && ! forward_rule -C; then return 1; fi # another Docker came since
  [[ -z $NODES || $NODES == "$SIZE" ]] || wrong_size "already runs with"
}

wrong_size() {
  die 2 "starting engine: $NAME: $1 $SIZE node(s), not $NODES" \
    "scripts/engine down --name $NAME && scripts/engine up --name $NAME --nodes $NODES" \
    "or beside it: scripts/engine up --name OTHER --nodes $NODES"
}

# start_engine: start the nodes that do not run, on what their predecessors left.
start_engine() {
  local node
  save_state
  claim_masked
  make_bridge
  for node in $(node_names); do
    if node_alive "$node" && node_answers "$node"; then continue; fi
    clear_node "$node" || die 75 "clearing what a dead node left: $NAME/$node: see above"
    STARTED+=("$node")
    start_node "$node"
  done
  for node in "${STARTED[@]}"; do wait_node "$node"; done
  ensure_swarm
  : >"$DATA/ready"
}

# finish_up: an `up` that failed or was stopped takes back what it made; what ran before still runs, data stay.
finish_up() {
  local status=$? node
  trap '' INT TERM HUP
  trap - EXIT
  set +e
  if [[ -n $STOPPED ]]; then
    complain "starting engine: $NAME: stopped by SIG$STOPPED: undoing"
  elif ((status != 0 && status != 2 && status != 75)); then
    complain "starting engine: $NAME: a command failed with $status (its own message is above): undoing"
    status=2
  fi
  if [[ $UNDO == all ]]; then
    clear_engine
  elif [[ $UNDO == started ]]; then
    for node in "${STARTED[@]}"; do clear_node "$node"; done
    some_node_alive || clear_engine keep-data
  fi
  drop_lock
  if [[ -n $STOPPED ]]; then
    trap - INT TERM HUP
    kill -s "$STOPPED" "$$"
  fi
  exit "$status"
}

some_node_alive() {
  local node
  for node in $(node_names); do
    if node_alive "$node"; then return 0; fi
  done
  return 1
}

# clear_engine [keep-data] [gently]: whatever of the engine there is, running or dead.
clear_engine() {
  local node status=0
  if [[ ${2:-} == gently ]]; then
    for node in $(found_nodes); do stop_node "$node" gently & done
    wait
  fi
  for node in $(found_nodes); do clear_node "$node" || status=1; done
  drop_bridge
  drop_cgroup "$CGROUP" || status=1
  if [[ ${1:-} != keep-data ]]; then rm -rf --one-file-system "$DATA" || status=1; fi
  release_masked || status=1
  return "$status"
}

# found_nodes: every node of which there is a trace: a folder, a cgroup, a link.
found_nodes() {
  local i
  for i in {1..9}; do
    if [[ -d $RUN/n$i || -d $DATA/n$i || -n $(link "${BRIDGE}_n$i") || -n $(cgroup_dirs "$CGROUP/n$i") ]]; then
      printf 'n%s\n' "$i"
    fi
  done
}

private_down() {
  set_paths
  if [[ -z $(found_nodes) && -z $(cgroup_dirs "$CGROUP") && -z $(link "$BRIDGE") && ! -d $RUN && (-n $KEEP_DATA || ! -d $DATA) ]]; then return 0; fi
  require_machine
  take_lock
  phase "ending $NAME ..."
  local status=0
  trap 'STOPPED=1' INT TERM HUP # a half-done down is worse than a late one
  if [[ -n $KEEP_DATA ]]; then clear_engine keep-data gently || status=2; else clear_engine || status=2; fi
  drop_lock
  return "$status"
}

private_env() {
  set_paths
  local node
  if ! load_state || ! node_alive n1; then
    die 2 "printing the environment: $NAME: not running" "scripts/engine up --name $NAME"
  fi
  printf 'export DOCKER_HOST=unix://%s\n' "$(node_socket n1)"
  printf 'export REDFIX_NODE_ADDR=%s\n' "$(node_addr n1)"
  printf 'export REDFIX_NODES="%s"\n' "$(for node in $(node_names); do printf '%s=unix://%s ' "$node" "$(node_socket "$node")"; done | sed 's/ $//')"
}

private_status() {
  set_paths
  local node pid down=0
  if ! load_state; then
    printf '%s: not running\n' "$NAME"
    return 1
  fi
  for node in $(node_names); do node_alive "$node" && node_answers "$node" || down=$((down + 1)); done
  if ((down == SIZE)); then
    printf '%s: not running (the data of %s node(s) are kept in %s)\n' "$NAME" "$SIZE" "$DATA"
    return 1
  fi
  printf '%s: %s of %s node(s) running, bridge %s (%s.1)\n' "$NAME" "$((SIZE - down))" "$SIZE" "$BRIDGE" "$SUBNET"
  for node in $(node_names); do
    if node_alive "$node" && node_answers "$node"; then
      pid=$(node_pid "$node")
      dock "$node" info --format "  $node $(node_addr "$node") pid $pid: swarm {{.Swarm.LocalNodeState}}, {{.ContainersRunning}} container(s) running, {{.Images}} image(s), engine {{.ServerVersion}}"
    else
      printf '  %s %s: down (%s)\n' "$node" "$(node_addr "$node")" "$(node_log "$node")"
    fi
  done
  ((down == 0))
}
