# shellcheck shell=bash
# The engine's processes and cgroups. Processes are ended by pid only, and only those that are provably ours:
# members of our cgroups, daemons that name our folders on their command line, and the descendants of both.

# enter_cgroup PATH: put the calling (sub)shell into PATH of every hierarchy.
enter_cgroup() {
  local root dir part inside=''
  for root in "${CGROUP_ROOTS[@]}"; do
    dir=$root
    for part in ${1//\// }; do
      dir+=/$part
      mkdir -p "$dir" 2>/dev/null || continue 2
      if [[ -e $dir/cpuset.cpus && -e $dir/tasks ]]; then # a v1 cpuset starts empty
        [[ -n $(<"$dir/cpuset.cpus") ]] || cat "${dir%/*}/cpuset.cpus" >"$dir/cpuset.cpus"
        [[ -n $(<"$dir/cpuset.mems") ]] || cat "${dir%/*}/cpuset.mems" >"$dir/cpuset.mems"
      fi
    done
    if printf '%s\n' "$BASHPID" 2>/dev/null >"$dir/cgroup.procs"; then inside=1; fi
  done
  [[ -n $inside ]]
}

# cgroup_dirs PATH: our folder in every hierarchy that has it.
cgroup_dirs() {
  local root
  for root in "${CGROUP_ROOTS[@]}"; do
    if [[ -d $root$1 ]]; then printf '%s\n' "$root$1"; fi
  done
}

# drop_cgroup PATH: remove the folders, deepest first; a dying process may hold one for a moment.
drop_cgroup() {
  local dir try
  for try in {1..50}; do
    for dir in $(cgroup_dirs "$1"); do
      find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    [[ -n $(cgroup_dirs "$1") ]] || return 0
    sleep 0.1
  done
  complain "removing cgroups: $(cgroup_dirs "$1" | head -n 1): still busy after $((try / 10)) s"
  return 1
}

# is_daemon PID NODE: is PID a daemon of that node, by name and by the folder on its command line?
is_daemon() {
  local comm line
  { read -r comm <"/proc/$1/comm"; } 2>/dev/null || return 1
  case $comm in
    dockerd | containerd | containerd-shim* | runc) ;;
    *) return 1 ;;
  esac
  line=$({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null) || return 1
  [[ $line == *"$RUN/$2/"* || $line == *"$DATA/$2/"* ]]
}

# node_pid NODE: the pid that its dockerd wrote (dockerd writes no newline, so `read` would fail).
node_pid() {
  cat "$RUN/$1/pid" 2>/dev/null || true
}

# node_alive NODE: its dockerd runs.
node_alive() {
  local pid
  pid=$(node_pid "$1")
  [[ $pid =~ ^[0-9]+$ ]] && is_daemon "$pid" "$1"
}

# node_pids NODE: every process of the node, one a line.
node_pids() {
  local proc pid dir
  {
    for dir in $(cgroup_dirs "$CGROUP/$1"); do
      find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done
    for proc in /proc/[0-9]*; do
      pid=${proc#/proc/}
      if is_daemon "$pid" "$1"; then printf '%s\n' "$pid"; fi
    done
  } | with_descendants
}

# with_descendants: the pids on stdin and all that came from them, without 0, 1 and ourselves.
with_descendants() {
  awk -v self="$$" '
    FILENAME == "-" { ours[$1] = 1; next }
    { pid = $1; sub(/^.*\) /, ""); parent[pid] = $2 }
    END {
      do {
        more = 0
        for (pid in parent) if (!(pid in ours) && parent[pid] in ours && parent[pid] > 1) ours[pid] = more = 1
      } while (more)
      for (pid in ours) if (pid > 1 && pid != self && pid in parent) print pid
    }' - <(cat /proc/[0-9]*/stat 2>/dev/null)
}

# stop_node NODE [gently]: end the node; gently lets dockerd stop its containers and close its stores first.
stop_node() {
  local pid try
  if [[ ${2:-} == gently ]] && node_alive "$1"; then
    pid=$(node_pid "$1")
    kill -TERM "$pid" 2>/dev/null || true
    for try in {1..200}; do
      node_alive "$1" || break
      sleep 0.1
    done
  fi
  local -a pids
  for try in {1..100}; do
    mapfile -t pids < <(node_pids "$1")
    ((${#pids[@]})) || return 0
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  complain "ending processes: $NAME/$1: ${pids[*]}: still there after $((try / 20)) s"
  return 1
}
