# shellcheck shell=bash disable=SC2154 # `here` is set by engine
# What a private engine needs from the machine.

HOST_HINT='or use a Swarm manager that exists: DOCKER_HOST=... scripts/engine up --host'

# require_machine: this is Linux and we are root.
require_machine() {
  [[ $(uname -s) == Linux ]] ||
    die 2 "making a private engine: $(uname -s): needs Linux" "$HOST_HINT"
  ((EUID == 0)) ||
    die 2 "making a private engine: $(id -un): needs root (namespaces, mounts, dockerd)" \
      "run it as root: sudo scripts/engine $COMMAND" "$HOST_HINT"
}

# ensure_packages: the programs that it starts are there, or are installed from Debian's packages.
ensure_packages() {
  ! "$here/fetch" --has engine >/dev/null || return 0
  machine_lock
  "$here/fetch" engine || die 2 "making a private engine: programs are missing (see above)" "$HOST_HINT"
  machine_unlock
  hash -r
}
