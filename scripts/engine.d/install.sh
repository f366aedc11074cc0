# shellcheck shell=bash
# What a private engine needs from the machine, and how to get it on Debian.

HOST_HINT='or use a Swarm manager that exists: ENGINE=host DOCKER_HOST=... scripts/engine up'

# require_machine: this is Linux and we are root.
require_machine() {
  [[ $(uname -s) == Linux ]] ||
    die 2 "making a private engine: $(uname -s): needs Linux" "$HOST_HINT"
  ((EUID == 0)) ||
    die 2 "making a private engine: $(id -un): needs root (namespaces, mounts, dockerd)" \
      "run it as root: sudo scripts/engine $COMMAND" "$HOST_HINT"
}

# missing_packages: the Debian packages that hold the programs which are not there, one a line.
missing_packages() {
  local pair program
  for pair in dockerd:docker.io docker:docker.io containerd:containerd runc:runc iptables:iptables ip:iproute2 \
    flock:util-linux mount:mount umount:mount unshare:util-linux nsenter:util-linux setsid:util-linux; do
    program=$(command -v "${pair%%:*}") && [[ -x $program ]] || printf '%s\n' "${pair##*:}"
  done | sort -u
}

# ensure_packages: install what is missing, without letting the packages start a daemon.
ensure_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  machine_lock
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    machine_unlock
    return 0
  fi
  [[ -x $(command -v apt-get) ]] ||
    die 2 "making a private engine: ${missing[*]}: missing, and there is no apt-get" \
      "install the programs dockerd, containerd, runc, docker, iptables, ip, flock, unshare and nsenter" "$HOST_HINT"
  phase "installing ${missing[*]} ..."
  local log
  log=$(mktemp)
  if ! apt_install "${missing[@]}" >"$log" 2>&1 && ! { apt_get update && apt_install "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    die 2 "installing packages: ${missing[*]}: apt-get failed (its last lines are above)" \
      "check /etc/apt/sources.list and the network" "$HOST_HINT"
  fi
  rm -f "$log"
  hash -r
  if printf '%s\n' "${missing[@]}" | grep -qx docker.io; then # nor at the next boot: nobody asked for a host's Docker
    systemctl disable docker.service docker.socket containerd.service >/dev/null 2>&1 || true
    update-rc.d docker disable >/dev/null 2>&1 || true
  fi
  machine_unlock
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || die 2 "installing packages: ${missing[*]}: installed, but a program is still missing" "$HOST_HINT"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# apt_install PACKAGE...: under a policy-rc.d that forbids to start services. One that we must make is removed; one that
# exists is covered by ours in a mount namespace of our own, so that the machine's file is never written.
apt_install() (
  policy=/usr/sbin/policy-rc.d
  deny=$(mktemp)
  litter=("$deny")
  trap 'rm -f "${litter[@]}"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$deny"
  chmod 755 "$deny"
  if [[ ! -e $policy ]]; then
    litter+=("$policy")
    cp -p "$deny" "$policy"
    apt_get install -y --no-install-recommends "$@"
  else
    [[ -x $(command -v mount) ]] || apt_get install -y mount
    export -f apt_get
    # shellcheck disable=SC2016
    unshare --mount bash -c 'mount --bind "$1" "$2" && shift 2 && apt_get install -y --no-install-recommends "$@"' \
      apt "$deny" "$policy" "$@"
  fi
)
