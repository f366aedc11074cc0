#!/usr/bin/env bash
# engine.sh: compares `scripts/engine up` and `down` of one node with the same by hand: a dockerd in a network namespace,
# `docker swarm init`, and the kernel's own clean-up. No test measures this time.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ours() { "$root/scripts/engine" up --name bench-up && "$root/scripts/engine" down --name bench-up; }

# The commands that a careful person types. Unlike scripts/engine, they do not prove that nothing is left.
# shellcheck disable=SC2016 # expanded in the namespaces
theirs() {
  unshare --net --pid --mount --fork --kill-child --mount-proc bash -euc '
    rm -rf "${0:?}"/*
    ip link set lo up
    for folder in /run/docker /run/containerd /var/lib/docker /etc/docker /opt/containerd; do
      [[ ! -d $folder ]] || mount -t tmpfs none "$folder"
    done
    dockerd --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" -H "unix://$0/socket" >"$0/log" 2>&1 &
    until docker -H "unix://$0/socket" version >"$0/said" 2>&1; do
      kill -0 "$!"
      sleep 0.1
    done
    docker -H "unix://$0/socket" swarm init --advertise-addr 127.0.0.1 >"$0/said"' "$work"
}
versus 'a swarm of one node, made and removed' 'dockerd and swarm init by hand' '<= 2.5' ours theirs
