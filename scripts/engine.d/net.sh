# shellcheck shell=bash disable=SC2034
# The engine's network: a bridge with a small subnet, and per node a network namespace with one leg on the bridge.

# set_links: what the links are called after; 9 characters at most, so that rf-STEM_nK fits in 15.
set_links() {
  local stem=$NAME sum
  if ((${#NAME} > 9)); then
    sum=$(printf '%s' "$NAME" | cksum)
    printf -v stem '%s%05x' "${NAME:0:4}" "$((${sum%% *} % 0x100000))"
  fi
  BRIDGE=rf-$stem
}

# link NAME: what the kernel says of it in this network namespace; nothing where there is none.
link() { ip -oneline link show dev "$1" 2>/dev/null || true; }

veth_name() { printf '%s_%s' "$BRIDGE" "$1"; }

# host_prefixes: every IPv4 prefix that the host routes or resolves through, except the default, as A.B.C.D/LEN.
host_prefixes() {
  ip -4 route show table all | awk '
    { p = ($1 ~ /^[0-9]/) ? $1 : $2 }
    p ~ /^[0-9.]+$/ { p = p "/32" }
    p ~ /^[0-9.]+\/[0-9]+$/ && p !~ /\/0$/ { print p }'
  awk '$1 == "nameserver" && $2 ~ /^[0-9.]+$/ { print $2 "/32" }' /etc/resolv.conf 2>/dev/null || true
}

# pick_prefix LENGTH SEED CANDIDATE...: the first candidate, from SEED on, that overlaps none of the prefixes on stdin.
pick_prefix() {
  awk -v len="$1" -v seed="$2" -v list="${*:3}" '
    function number(a, b) { split(a, b, "."); return ((b[1] * 256 + b[2]) * 256 + b[3]) * 256 + b[4] }
    function size(l) { return 2 ^ (32 - l) }
    { split($1, p, "/"); low[NR] = int(number(p[1]) / size(p[2])) * size(p[2]); high[NR] = low[NR] + size(p[2]) - 1 }
    END {
      n = split(list, candidate, " ")
      for (i = 0; i < n; i++) {
        c = candidate[(seed + i) % n + 1]
        first = number(c); last = first + size(len) - 1; free = 1
        for (j = 1; j <= NR; j++) if (first <= high[j] && low[j] <= last) free = 0
        if (free) { print c; exit 0 }
      }
      exit 1
    }'
}

# choose_prefixes: set SUBNET (198.18.x, a range that no real network uses) and the two address pools of the daemons.
choose_prefixes() {
  local seed used candidates
  seed=$(printf '%s' "$NAME" | cksum | cut -d ' ' -f 1)
  used=$(host_prefixes)
  mapfile -t candidates < <(printf '198.18.%s.0\n' {0..255})
  SUBNET=$(pick_prefix 24 "$seed" "${candidates[@]}" <<<"$used") ||
    die 2 "choosing a subnet: 198.18.0.0/16: the host routes all of it" "$HOST_HINT"
  SUBNET=${SUBNET%.0}
  mapfile -t candidates < <(printf '10.%s.0.0\n' {128..254})
  if ! SWARM_POOL=$(pick_prefix 16 "$seed" "${candidates[@]}" <<<"$used") ||
    ! LOCAL_POOL=$(pick_prefix 16 "$seed" "${candidates[@]}" <<<"$used"$'\n'"$SWARM_POOL/16"); then
    die 2 "choosing address pools: 10.128.0.0/9: the host routes all of it" "$HOST_HINT"
  fi
  SWARM_POOL+=/16 LOCAL_POOL+=/16
}

# forward_rule ACTION: -C, -I or -D the rule that lets frames cross our bridge where the host's FORWARD drops them.
forward_rule() {
  iptables -w 10 "$1" FORWARD -i "$BRIDGE" -o "$BRIDGE" -m comment --comment "redfix engine $NAME" -j ACCEPT 2>/dev/null
}

# forward_drops: would the host's packet filter stop frames that cross a bridge?
forward_drops() {
  [[ -r /proc/sys/net/bridge/bridge-nf-call-iptables ]] &&
    [[ $(</proc/sys/net/bridge/bridge-nf-call-iptables) == 1 ]] &&
    iptables -w 10 -S FORWARD 2>/dev/null | grep -qE '^-P FORWARD DROP|-j (DROP|REJECT)'
}

# make_bridge: the bridge, its address and, where needed, its rule. Again: harmless.
make_bridge() {
  ip link show "$BRIDGE" >/dev/null 2>&1 || ip link add "$BRIDGE" type bridge
  ip addr replace "$SUBNET.1/24" dev "$BRIDGE"
  ip link set "$BRIDGE" up
  if forward_drops && ! forward_rule -C; then forward_rule -I; fi
}

# make_netns NODE: a fresh namespace with its leg on the bridge. There is no default route on purpose: a look-up of a
# registry fails at once instead of after a time-out.
make_netns() {
  local netns leg
  netns=$(node_netns "$1") leg=$(veth_name "$1")
  drop_netns "$1"
  : >"$netns"
  unshare --net="$netns" true
  ip link add "$leg" type veth peer name eth0 netns "$netns"
  ip link set "$leg" master "$BRIDGE" up
  nsenter --net="$netns" ip addr add "$(node_addr "$1")/24" dev eth0
  nsenter --net="$netns" ip link set eth0 up
  nsenter --net="$netns" ip link set lo up
}

# drop_netns NODE: the leg and the namespace, as often as a dead `up` mounted it.
drop_netns() {
  local netns
  netns=$(node_netns "$1")
  ip link del "$(veth_name "$1")" 2>/dev/null || true
  while umount "$netns" 2>/dev/null; do :; done
  rm -f "$netns"
}

# drop_bridge: and the rule, however often it is there.
drop_bridge() {
  while command -v iptables >/dev/null && forward_rule -D; do :; done
  ip link del "$BRIDGE" 2>/dev/null || true
}
