# shellcheck shell=bash
# One node: start its dockerd, wait for it, talk to it, clear what a dead one left.

# dock NODE ARGUMENT...: the docker client on that node, bounded, whatever the caller's environment says.
dock() {
  env -u DOCKER_CONTEXT -u DOCKER_TLS -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH -u DOCKER_API_VERSION \
    timeout "${patience:-20}" docker -H "unix://$(node_socket "$1")" "${@:2}"
}

# node_answers NODE: its socket answers.
node_answers() {
  [[ -S $(node_socket "$1") ]] && patience=5 dock "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# clear_node NODE [gently]: no process, mount, link, cgroup or run folder of the node is left; its data stay.
clear_node() {
  stop_node "$1" "${2:-}"
  drop_netns "$1"
  drop_mounts "$RUN/$1" "$DATA/$1"
  drop_cgroup "$CGROUP/$1"
  rm -rf --one-file-system "${RUN:?}/$1"
}

# drop_mounts FOLDER...: mounts below the folders that reached our own mount namespace (normally none), deepest first.
drop_mounts() {
  local folder point
  for folder in "$@"; do
    awk -v f="$folder/" 'index($2, f) == 1 { print $2 }' /proc/self/mounts | sort -r | while IFS= read -r point; do
      umount -l "$(printf '%b' "$point")" 2>/dev/null || true
    done
  done
}

# NODE_SCRIPT NAME FOLDER... -- COMMAND...: what a node does in its new namespaces before it is dockerd.
# shellcheck disable=SC2016
NODE_SCRIPT='
  hostname "$0"
  while [[ $1 != -- ]]; do
    mount -t tmpfs -o mode=711 redfix "$1"
    shift
  done
  shift
  exec "$@"'

# start_node NODE: returns once dockerd is launched; wait_node says when it answers. Containers ask the bridge's address
# for foreign names: nobody listens there, so a look-up fails at once on the default bridge (the machine's resolver is
# out of reach: 5 s). On an overlay, Engine 20.10 leaves such a question unanswered: 10 s, whatever the server.
start_node() {
  local node=$1 dir=$RUN/$1 log
  phase "starting node $node ($(node_addr "$node")) ..."
  mkdir -p "$dir" "$DATA/$node"
  make_netns "$node"
  log=$(node_log "$node")
  if [[ -s $log ]]; then mv "$log" "$log.old"; fi
  printf '{}\n' >"$dir/daemon.json" # never the machine's /etc/docker/daemon.json
  (
    trap - INT TERM EXIT
    enter_cgroup "$CGROUP/$node/engine"
    ulimit -n 1048576 2>/dev/null || true
    exec setsid env -i PATH="$PATH" unshare --uts --mount --propagation slave bash -ec "$NODE_SCRIPT" "$node" "${MASKED[@]}" -- \
      nsenter --net="$(node_netns "$node")" dockerd \
      --config-file "$dir/daemon.json" --data-root "$DATA/$node/data" --exec-root "$dir/exec" --pidfile "$dir/pid" \
      -H "unix://$(node_socket "$node")" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$CGROUP/$node" \
      --default-address-pool "base=$LOCAL_POOL,size=24" --dns "$SUBNET.1" --shutdown-timeout 10 --log-level warn
  ) 9>&- </dev/null >"$log" 2>&1 &
  printf '%s\n' "$!" >"$dir/launched"
}

# wait_node NODE: until it answers, or its daemon is dead, or 60 s have passed.
wait_node() {
  local launched deadline=$((SECONDS + 60)) # a manager that comes back waits for an election
  read -r launched <"$RUN/$1/launched"
  while ! node_answers "$1"; do
    if ! kill -0 "$launched" 2>/dev/null; then
      show_log "$1"
      die 2 "starting node $1: dockerd: ended at once (its last lines are above)" "$HOST_HINT"
    fi
    if ((SECONDS > deadline)); then
      show_log "$1"
      die 75 "starting node $1: dockerd: no answer within 60 s" "is the machine overloaded? then try again"
    fi
    sleep 0.1
  done
}

# show_log NODE: the end of the daemon's log, for people.
show_log() {
  tail -n 5 "$(node_log "$1")" | cut -c 1-300 | sed 's/^/  | /' >&2
}
