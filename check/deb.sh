#!/usr/bin/env bash
# deb.sh [PACKAGE]: check the Debian package on a clean Debian 12. apt installs it in a fresh chroot, where it takes a red
# recipe to a report against a private engine; after its removal no file may be left. The chroot shares only the engine's
# socket and the image cache with the host.
# shellcheck disable=SC2016 # what is in single quotes is expanded in the chroot
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"

((EUID == 0)) || cannot "making a chroot: not root"
need mmdebstrap
unset DOCKER_HOST
engine_up "${APART:-deb}-deb"
"$ground/images/build" --quiet busybox
if (($#)); then
  package=$(readlink -f "$1")
else
  make -s -C "$root" deb >&2
  package=$(printf '%s\n' "$root"/target/debian/redfix_*.deb | tail -n 1)
fi
say "$(basename "$package"): $(stat -c %s "$package") bytes"

clean=$(mktemp -d)
socket=${DOCKER_HOST#unix://}
undo "rm -rf --one-file-system '$clean'"
chmod 755 "$clean"
# mmdebstrap leaves apt's sources in the chroot, so that apt can install the package's dependencies.
mmdebstrap --quiet --variant=apt --include=ca-certificates bookworm "$clean" >&2
cp "$package" "$clean/redfix.deb"
mkdir -p "$clean$(dirname "$socket")" "$clean/var/cache/redfix"

# inside COMMAND...: run the command in the chroot, in its own mount namespace. It sees the engine's socket and the cache of
# built images.
inside() {
  unshare --mount --propagation private sh -ec '
    clean=$1 socket=$2 && shift 2
    mount --bind "$clean" "$clean"
    mount -t proc proc "$clean/proc" && mount --rbind /sys "$clean/sys" && mount --rbind /dev "$clean/dev"
    mount --bind "$(dirname "$socket")" "$clean$(dirname "$socket")"
    [ ! -d /var/cache/redfix ] || mount --bind /var/cache/redfix "$clean/var/cache/redfix"
    cp /etc/resolv.conf /etc/hosts "$clean/etc/"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb DEBIAN_FRONTEND=noninteractive \
      DOCKER_HOST="unix://$socket" REDFIX_NODE_ADDR="${REDFIX_NODE_ADDR-}" REDFIX_MAX_FOREIGN_CPU=2 REDFIX_ACCEPT_CORRELATED=true \
      REDFIX_RECIPES=/usr/share/redfix/examples/recipes chroot "$clean" "$@"' sh "$clean" "$socket" "$@"
}

passed=0 failed=0
# ok WHAT COMMAND...: run the command, print whether it succeeded, and count it.
ok() {
  local what=$1 status=0
  shift
  "$@" </dev/null >"$clean/said" 2>&1 || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
    printf 'deb: %s: ok\n' "$what"
  else
    failed=$((failed + 1))
    printf 'deb: %s: FAILED (%d)\n' "$what" "$status"
    tail -n 20 "$clean/said"
  fi
}

ok 'apt installs it with what it needs' inside sh -c 'apt-get -qq update && apt-get -qq -y install /redfix.deb'
ok 'each tool starts' inside sh -ec \
  'for tool in warm-domain-alloc swarm-guard swarm-isolate swarm-wait log-snap flake-classify pr-open redfix-report; do $tool --version; done; redfix --help'
ok 'pages and completions are in their places' inside sh -ec \
  'test -e /usr/share/man/man1/log-snap.1.gz -a -e /usr/share/man/man7/redfix.7.gz -a -e /usr/share/bash-completion/completions/redfix'
ok 'a red recipe becomes a report' inside sh -ec \
  'redfix investigate hello >/root/report; cat /root/report; grep -q "^GATE M1 PASS 1/1" /root/report; grep -q "^GATE M2 PASS 1/1" /root/report'
ok 'its ledger is private' inside sh -ec 'test "$(stat -Lc %a /root/.local/state/redfix/hello/*/ledger.jsonl)" = 600'
ok 'apt takes it away and nothing is left' inside sh -ec \
  'apt-get -qq -y purge redfix; test ! -e /usr/share/redfix -a ! -e /usr/bin/redfix -a ! -e /usr/bin/log-snap'
printf '%d passed, %d failed\n' "$passed" "$failed"
leave $((failed > 0))
