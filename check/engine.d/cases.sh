# shellcheck shell=bash disable=SC2034,SC2154
# The cases of check/engine.sh, in their order; each can be run alone by name.

CASES=(arguments stranger one_node killed stopped three_nodes forward_drop host_mode stranger_after)

arguments() {
  check 'no command: usage, exit 2' fails_with 2 'usage: engine up' engine
  check '--help exits 0' engine --help
  check 'unknown option' fails_with 2 'unknown option' engine up --frobnicate
  check 'bad name' fails_with 2 '--name: a/b' engine up --name a/b
  check 'bad node count' fails_with 2 '--nodes: 0' engine up --nodes 0
  check 'status of nothing exits 1' fails_with 1 'not running' engine status
  check 'env of nothing exits 2' fails_with 2 'hint: scripts/engine up' engine env
  check 'down of nothing is done' engine down
  # The checkout may lie where others cannot look.
  cp -a "$root/scripts" "$work/scripts"
  chmod -R a+rX "$work"
  check 'without root it names --host' fails_with 2 'up --host' \
    setpriv --reuid 65534 --clear-groups bash "$work/scripts/engine" up
  check 'without apt-get it says so' fails_with 2 'there is no apt-get' unshare --mount bash -c \
    "mount --bind /dev/null $(command -v apt-get); mount --bind /dev/null $(command -v dockerd); $root/scripts/engine up"
}

stranger() {
  make_image
  check "somebody else's dockerd starts" stranger_start
  stranger_looks >"$work/stranger-before"
  take_before
}

one_node() {
  check 'up, one node' engine up
  check 'the comparison sees a running engine' fails_with 1 "link rf-$name" as_before
  check 'up again does nothing' does_nothing engine up
  check 'up with another size says what to do' fails_with 2 'hint: scripts/engine down' engine up --nodes 3
  check 'status' engine status
  check 'the node is a ready manager called n1' test "$(on n1 node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}')" = 'n1 Ready Leader'
  load_image "/run/redfix-engine/$name/n1/docker.sock"
  check 'env names an engine that answers' bash -c "eval \"\$($root/scripts/engine env --name $name)\"; docker node ls && [[ \$REDFIX_NODES == n1=\$DOCKER_HOST && -n \$REDFIX_NODE_ADDR ]]"
  eval "$(engine env)"
  addr=$REDFIX_NODE_ADDR
  unset DOCKER_HOST REDFIX_NODE_ADDR REDFIX_NODES
  check 'a service with a host-mode port' serve
  check 'its port answers from outside' within 180 answers "$addr" 18080
}

# does_nothing COMMAND...: it succeeds, and the engine's daemons are those of before. What they start comes and goes.
does_nothing() {
  local before
  before=$(daemons)
  "$@" || return
  diff <(echo "$before") <(daemons)
}

# daemons: those of the engine under test, with their process ids.
daemons() { engine_pids "$name" | xargs -r ps -o pid=,comm= | grep -E ' (dockerd|containerd)$'; }

# serve: a web server on every node, on a host-mode port.
serve() {
  on n1 service create -q -d --name web --mode global --endpoint-mode dnsrr --no-resolve-image --stop-grace-period 1s \
    --publish mode=host,published=18080,target=8080 redfix-check:1 busybox httpd -f -p 8080 -h /redfix-check
}

killed() {
  local -a pids
  mapfile -t pids < <(pgrep -f "^dockerd .*/redfix-engine/$name/")
  kill -KILL "${pids[@]}"
  check 'status of a dead dockerd exits 1' fails_with 1 'not running' engine status
  check 'up after kill -9 of dockerd alone' engine up
  check 'its service answers again' within 180 answers "$addr" 18080
  mapfile -t pids < <(engine_pids "$name")
  kill -KILL "${pids[@]}"
  check "up after kill -9 of all its ${#pids[@]} processes" engine up
  check 'its service answers again' within 180 answers "$addr" 18080
  check 'down --keep-data' engine down --keep-data
  check 'no process is left' test -z "$(engine_pids "$name")"
  check 'up goes on with the data' engine up
  check 'its service answers again' within 180 answers "$addr" 18080
  mapfile -t pids < <(engine_pids "$name")
  kill -KILL "${pids[@]}"
  check 'down of a killed engine' engine down
  check 'down left nothing' nothing_left
  check 'down again is done' engine down
}

stopped() {
  local pid status signal code
  for signal in TERM:143 INT:130; do
    code=${signal#*:} signal=${signal%:*} status=0
    env --default-signal=INT "$root/scripts/engine" up --name "$name" --nodes 2 >"$work/up" 2>&1 &
    pid=$!
    within 180 test -e "/var/lib/redfix-engine/$name/state"
    kill -s "$signal" "$pid"
    wait "$pid" || status=$?
    check "up stopped by SIG$signal dies of it" test "$status" = "$code"
    check 'and leaves nothing' nothing_left
  done
  "$root/scripts/engine" up --name "$name" >"$work/up1" 2>&1 &
  pid=$!
  check 'two ups at once: the second' engine up
  status=0
  wait "$pid" || status=$?
  check 'two ups at once: the first' test "$status" = 0
  check 'down' engine down
  check 'down left nothing' nothing_left
}

three_nodes() {
  local node other names
  check "up, three nodes (Debian's docker client)" \
    env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$root/scripts/engine" up --name "$name" --nodes 3
  names=$(on n2 node ls --format '{{.Hostname}} {{.Status}}' | sort | paste -sd ,)
  check 'all are ready managers' test "$names" = 'n1 Ready,n2 Ready,n3 Ready'
  for node in n1 n2 n3; do load_image "/run/redfix-engine/$name/$node/docker.sock"; done
  check 'a service on each node' serve
  for node in n1 n2 n3; do
    other=$(on n1 node inspect --format '{{.ManagerStatus.Addr}}' "$node")
    check "port of $node answers from outside" within 180 answers "${other%:*}" 18080
  done
  on n1 network create -d overlay --attachable net >/dev/null
  on n1 run -d --name alpha --network net redfix-check:1 busybox httpd -f -p 8080 -h /redfix-check >/dev/null
  check 'n2 reaches a container on n1 by name over the overlay' reach n2 alpha
  check 'n3 too' reach n3 alpha
  mapfile -t pids < <(pgrep -f "^dockerd .*/redfix-engine/$name/n1/")
  kill -KILL "${pids[@]}"
  check 'without n1 the others keep quorum' within 180 on n2 node ls
  check 'up brings n1 back' engine up
  check 'down' engine down
  check 'down left nothing' nothing_left
}

reach() {
  on "$1" run --rm --network net redfix-check:1 bash -c \
    "exec 3<>/dev/tcp/$2/8080; printf 'GET /index.html HTTP/1.0\r\n\r\n' >&3; busybox cat <&3" | grep -x hello-from-redfix-check
}

# forward_drop: a machine (a network namespace that plays one) whose packet filter drops what crosses bridges.
forward_drop() {
  # shellcheck disable=SC2016
  check 'a host that drops FORWARD gets a rule, and loses it' unshare --net --mount bash -euc '
    walled=$1
    engine() { "$0" --name "$walled" "$@"; }
    ip link set lo up
    iptables -P FORWARD DROP
    ip link add spare type bridge # the setting exists once br_netfilter is loaded
    [[ -e /proc/sys/net/bridge ]] || { echo "no br_netfilter here: nothing to check"; exit 0; }
    echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
    before=$(iptables -S)
    engine up --nodes 2
    iptables -S FORWARD | grep -q "redfix engine $walled"
    engine up
    iptables -F FORWARD
    engine up
    test "$(iptables -S FORWARD | grep -c "redfix engine $walled")" = 1
    engine down
    diff <(echo "$before") <(iptables -S)' "$root/scripts/engine" "$walled"
  ! grep -q 'nothing to check' "$work/out" || echo 'NOT CHECKED    a host that drops FORWARD: this kernel has no br_netfilter'
}

host_mode() {
  local theirs=unix://$work/stranger/docker.sock
  check '--host refuses an engine that is no manager' fails_with 2 'not a Swarm manager' \
    env DOCKER_HOST="$theirs" "$root/scripts/engine" up --host
  check '--host, nobody answers: try again' fails_with 75 "$work/none" \
    env DOCKER_HOST="unix://$work/none" "$root/scripts/engine" up --host
  engine up
  local ours=unix:///run/redfix-engine/$name/n1/docker.sock
  check '--host takes a manager' env DOCKER_HOST="$ours" "$root/scripts/engine" up --host
  check '--host env' test "$(DOCKER_HOST=$ours "$root/scripts/engine" env --host | paste -sd ' ')" = \
    "export DOCKER_HOST=$ours export REDFIX_NODE_ADDR=127.0.0.1 export REDFIX_NODES=\"n1=$ours\""
  check '--host status' env DOCKER_HOST="$ours" "$root/scripts/engine" status --host
  check '--host down does nothing' env DOCKER_HOST="$ours" "$root/scripts/engine" down --host
  check 'the engine is still there' engine status
  engine down
}

stranger_after() {
  check "somebody else's dockerd is unchanged" diff "$work/stranger-before" <(stranger_looks)
  check 'nothing is left' nothing_left
}
