# shellcheck shell=bash disable=SC2154
# What the cases of check/engine.sh share: one line per check, images, a stranger's Docker, before and after.

passed=0 failed=0

# check WHAT COMMAND...: run it, print one line.
check() {
  local what=$1 status=0 start=$EPOCHREALTIME
  shift
  "$@" >"$work/out" 2>&1 || status=$?
  local took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
  if ((status == 0)); then
    passed=$((passed + 1))
    printf 'ok    %6s ms  %s\n' "$took" "$what"
  else
    failed=$((failed + 1))
    printf 'FAIL  %6s ms  %s (exit %s)\n' "$took" "$what" "$status"
    tail -n 15 "$work/out" | sed 's/^/  | /'
  fi
}

# engine ARGUMENT...: the one under test; whose arguments name another keeps it.
engine() { "$root/scripts/engine" --name "$name" "$@"; }

# fails_with CODE TEXT COMMAND...: it must exit with CODE and say TEXT.
fails_with() {
  local status=0 said
  said=$("${@:3}" 2>&1) || status=$?
  printf '%s\n' "$said"
  ((status == $1)) || { echo "exit $status instead of $1" && return 1; }
  [[ $said == *"$2"* ]] || { echo "did not say: $2" && return 1; }
}

# within SECONDS COMMAND...: it must succeed some time before.
within() {
  local deadline=$((SECONDS + $1))
  until "${@:2}" >"$work/within" 2>&1; do
    ((SECONDS < deadline)) || { cat "$work/within" && echo "not within $1 s: ${*:2}" && return 1; }
    sleep 0.1
  done
}

# on NODE ARGUMENT...: the docker client on a node of the engine under test.
on() { docker -H "unix:///run/redfix-engine/$name/$1/docker.sock" "${@:2}"; }

# make_image: a tar of a root with busybox and bash (a static busybox dies when it looks names up), for `docker import`.
make_image() {
  local tree=$work/tree file busybox
  mkdir -p "$tree"/{bin,etc,redfix-check}
  busybox=$("$root/ground/images/build" --list busybox | cut -f4)
  [[ -e $busybox ]] || { echo "check/engine: looking for $busybox: not there; scripts/fetch test makes it" >&2 && return 1; }
  tar -C "$tree" -xf "$busybox" ./bin/busybox
  while read -r file; do
    mkdir -p "$tree$(dirname "$file")"
    cp -L "$file" "$tree$file"
  done < <(echo /bin/bash && ldd /bin/bash | grep -o '/[^ ]*')
  echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
  echo hello-from-redfix-check >"$tree/redfix-check/index.html"
  tar -C "$tree" -cf "$work/image.tar" .
}

load_image() { docker -H "unix://$1" import "$work/image.tar" redfix-check:1 >/dev/null; }

# page ADDRESS PORT: what a web server says to us, out here in the machine's own namespace.
page() {
  local line
  exec 8<>"/dev/tcp/$1/$2" || return 1
  printf 'GET /index.html HTTP/1.0\r\n\r\n' >&8
  timeout 3 cat <&8 >"$work/page" || true
  exec 8>&-
  line=$(tail -n 1 "$work/page")
  [[ $line == hello-from-redfix-check ]] || { echo "got: $line" && return 1; }
}
answers() { (page "$@") 2>&1; }

# engine_pids NAME: members of its cgroups.
engine_pids() {
  find /sys/fs/cgroup/*/"redfix-$1" /sys/fs/cgroup/"redfix-$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un || true
}

# stranger_start: somebody else's dockerd, made without our script, with a container of its own.
stranger_start() {
  mkdir -p "$work/stranger"
  local -a options=(--data-root "$work/stranger/data" --exec-root "$work/stranger/exec" --pidfile "$work/stranger/pid")
  setsid unshare --uts --mount --net dockerd "${options[@]}" -H "unix://$work/stranger/docker.sock" \
    --cgroup-parent /redfix-stranger --exec-opt native.cgroupdriver=cgroupfs --log-level error </dev/null >"$work/stranger/log" 2>&1 &
  stranger_pid=$!
  within 180 docker -H "unix://$work/stranger/docker.sock" version
  load_image "$work/stranger/docker.sock"
  docker -H "unix://$work/stranger/docker.sock" run -d --network none redfix-check:1 busybox sleep 1000 >/dev/null
}

# stranger_looks: what must not change.
stranger_looks() {
  docker -H "unix://$work/stranger/docker.sock" info --format '{{.ID}} {{.Swarm.LocalNodeState}} {{.ContainersRunning}}'
  docker -H "unix://$work/stranger/docker.sock" ps -a --no-trunc --format '{{.ID}} {{.State}}'
  docker -H "unix://$work/stranger/docker.sock" network ls --no-trunc -q
  stat -c %Y:%i "$work/stranger/docker.sock" "$work/stranger/pid"
  kill -0 "$stranger_pid" && echo "pid $stranger_pid"
}

stranger_stop() {
  [[ -n ${stranger_pid:-} ]] || return 0
  local id
  for id in $(docker -H "unix://$work/stranger/docker.sock" ps -aq); do
    docker -H "unix://$work/stranger/docker.sock" rm -f "$id" >/dev/null
  done
  kill -TERM "$stranger_pid" || true
  wait "$stranger_pid" || true
  find /sys/fs/cgroup/*/redfix-stranger /sys/fs/cgroup/redfix-stranger -depth -type d -exec rmdir {} + 2>/dev/null || true
}

# snapshot: all that an engine could leave, without what belongs to other engines of ours (another's tests may run).
snapshot() {
  [[ -z $(other_engines) ]] || : >"$work/others"
  {
    ps -eww -o pid=,args= | awk -v name="$name" '(index($0, "redfix-engine/" name) || /busybox.*redfix-check/) && !/awk|ps -eww/ { print "process", $0 }'
    engine_pids "$name" | sed 's/^/cgroup member /'
    awk '$2 ~ /redfix|docker|containerd|netns/ { print "mount", $2 }' /proc/mounts
    ip -o link | awk '{ print "link", $2 }'
    ip -4 route | sed 's/^/route /'
    if command -v iptables-save >/dev/null; then
      iptables-save | sed '/^#/d; s/ *\[[0-9:]*\]$//; s/^/iptables /'
    fi
    find /sys/fs/cgroup -type d | grep -E '/redfix-|/docker(/|$)|/[0-9a-f]{64}$' | sed 's/^/path /' || true
    find /run /var/lib /run/netns /run/redfix-engine /var/lib/redfix-engine /etc/docker /opt/containerd \
      -maxdepth 1 2>/dev/null | grep -E 'redfix|docker|containerd|netns|runc' | sed 's/^/path /' || true
  } | awk -v name="$name" '
    $0 ~ "redfix-(engine/)?" name "([ /]|$)" || $0 ~ "rf-" name "[ _:]" { print; next }
    /redfix-engine\/.|\/redfix-|rf-/ { next }
    { print }' | sort
}

other_engines() { find /run/redfix-engine -mindepth 1 -maxdepth 1 -type d ! -name "$name" ! -name "$walled" 2>/dev/null || true; }

take_before() { snapshot >"$work/before"; }

# as_before: nothing differs from before.
as_before() {
  snapshot >"$work/after"
  comm -3 "$work/before" "$work/after" >"$work/difference"
  # What engines and guards share comes and goes with those of others, too.
  [[ ! -e $work/others ]] || sed -i -E '/path .*\/(docker|docker\.sock|containerd|runc|redfix-engine)$/d' "$work/difference"
  [[ ! -s $work/difference ]] || { echo 'differs from before:' && cat "$work/difference" && return 1; }
}

# nothing_left: the same as before; the kernel of a busy machine may need a while.
nothing_left() { within 180 as_before; }

clean_up() {
  local status=$?
  [[ $case == finished ]] || printf 'FAIL             stopped in the case %s (exit %s)\n' "$case" "$status"
  trap '' INT TERM
  set +e
  engine down -q
  engine down -q --name "$walled"
  stranger_stop
  rm -rf "$work"
  exit "$status"
}
