# shellcheck shell=bash disable=SC2034
# Where an engine lives, what it remembers, and the lock that lets one command at a time change it.

RUN_ROOT=/run/redfix-engine
DATA_ROOT=/var/lib/redfix-engine

# set_paths: the folders of the engine NAME, its links, and where the cgroup hierarchies (v1, v2 or both) are mounted.
set_paths() {
  RUN=$RUN_ROOT/$NAME
  DATA=$DATA_ROOT/$NAME
  STATE=$DATA/state
  CGROUP=/redfix-$NAME
  set_links
  mapfile -t CGROUP_ROOTS < <(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts)
}

# Each node's own things.
node_socket() { printf '%s/%s/docker.sock' "$RUN" "$1"; }
node_netns() { printf '%s/%s/netns' "$RUN" "$1"; }
node_log() { printf '%s/%s/dockerd.log' "$DATA" "$1"; }
node_addr() { printf '%s.%s' "$SUBNET" "$((10 + ${1#n}))"; }

# node_names: n1 .. nN of the engine whose state is loaded.
node_names() {
  local i
  for ((i = 1; i <= SIZE; i++)); do printf 'n%s\n' "$i"; done
}

# load_state: read SIZE, SUBNET and the pools; fails if there is no whole state.
load_state() {
  local key value
  SIZE='' SUBNET='' SWARM_POOL='' LOCAL_POOL=''
  [[ -r $STATE ]] || return 1
  while IFS='=' read -r key value; do
    case $key in
      nodes) SIZE=$value ;;
      subnet) SUBNET=$value ;;
      swarm-pool) SWARM_POOL=$value ;;
      local-pool) LOCAL_POOL=$value ;;
    esac
  done <"$STATE"
  [[ $SIZE =~ ^[1-9]$ && -n $SUBNET && -n $SWARM_POOL && -n $LOCAL_POOL ]]
}

# save_state: intent is recorded before anything is made, so that `down` finds what a dead `up` left.
save_state() {
  mkdir -p "$DATA"
  printf '%s=%s\n' nodes "$SIZE" subnet "$SUBNET" swarm-pool "$SWARM_POOL" local-pool "$LOCAL_POOL" >"$STATE.new"
  mv "$STATE.new" "$STATE"
}

# take_lock: one up or down per engine. The file goes with its holder, so it counts only if it is still the one we hold.
take_lock() {
  LOCK=$RUN_ROOT/$NAME.lock
  while :; do
    mkdir -p "$RUN_ROOT"
    { exec 9>>"$LOCK"; } 2>/dev/null || continue
    if ! flock -n 9; then
      phase "waiting for another up or down of $NAME ..."
      flock -w 120 9 || die 75 "locking: $LOCK: another up or down has held it for 120 s"
    fi
    [[ $(stat -Lc %d:%i /proc/self/fd/9) != "$(stat -c %d:%i "$LOCK" 2>/dev/null)" ]] || return 0
  done
}

drop_lock() {
  rm -f "$LOCK"
  exec 9>&-
  rmdir "$RUN_ROOT" "$DATA_ROOT" 2>/dev/null || true
}

# Folders outside our own that dockerd and containerd write to, whatever they are told (key.json, shim sockets, load
# balancers' resolv.conf), or whose content they would use (the machine's containerd). Each node sees a tmpfs there.
MASKED=(/etc/docker /opt/containerd /run/containerd /run/docker /var/lib/docker)

# machine_lock: held for moments, by engines of any name, on the folder /run itself so that no file is left.
machine_lock() {
  exec 8</run
  flock -w 300 8 || die 75 "locking: /run: another engine has held it for 300 s"
}
machine_unlock() { exec 8<&-; }

# claim_masked: the mount points must exist; what we make is noted.
claim_masked() {
  local dir
  machine_lock
  mkdir -p "$RUN"
  for dir in "${MASKED[@]}"; do
    [[ ! -d $dir ]] || continue
    mkdir -p "$dir"
    printf '%s\n' "$dir" >>"$RUN_ROOT/made"
  done
  machine_unlock
}

# release_masked: the last engine removes them; one that is in use by now is not empty, and stays. (Not earlier: to
# remove a folder takes the mount away from the engines that still have one there.)
release_masked() {
  local dir
  machine_lock
  rm -rf --one-file-system "$RUN"
  if [[ -f $RUN_ROOT/made ]] && ! compgen -G "$RUN_ROOT/*/" >/dev/null; then
    while IFS= read -r dir; do rmdir "$dir" 2>/dev/null || true; done <"$RUN_ROOT/made"
    rm -f "$RUN_ROOT/made"
  fi
  machine_unlock
}
