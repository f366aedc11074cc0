#!/usr/bin/env bash
# fresh.sh [RELEASE...]: run the README's two commands on fresh machines, from a clone of what is committed: a Debian 12 and
# a Debian 13 root (bookworm, trixie) with only ca-certificates, git, make, a C compiler and this machine's Rust toolchain.
# It prints the last lines of each command and the totals. FRESH=demo runs only `make demo`.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

(($#)) || set -- bookworm trixie
# Run in a mount namespace: the kernel unmounts everything when this script ends, and `rm` never follows a mount.
[[ -n ${FRESH_MOUNTS-} ]] || FRESH_MOUNTS=1 exec unshare --mount --propagation private "$check/fresh.sh" "$@"
"$scripts/fetch" images
toolchain=$(rustc --print sysroot)
[[ $toolchain != /usr ]] || cannot 'looking for a Rust toolchain: it is the one of Debian, in /usr' 'one by rustup, which a root can be given'
kept=$root/target/fresh
rm -rf "$kept"
mkdir -p "$kept"
passed=0 failed=0

# make_root RELEASE FOLDER: make a Debian root that has this machine's certificates and resolver, which it needs to reach
# the mirrors.
make_root() {
  mmdebstrap --quiet --variant=apt --include=ca-certificates,git,make,gcc,libc6-dev "$1" "$2" >&2 || return
  mkdir -p "$2/opt/rust" "$2/usr/local/share/ca-certificates" "$2/root"
  cp /usr/local/share/ca-certificates/*.crt "$2/usr/local/share/ca-certificates/" 2>/dev/null || true
  cp /etc/resolv.conf /etc/hosts "$2/etc/"
  chroot "$2" update-ca-certificates >/dev/null 2>&1
  mount --bind "$toolchain" "$2/opt/rust"
  mount -o remount,bind,ro "$2/opt/rust"
  git clone --quiet --no-hardlinks "$root" "$2/root/redfix"
}

# there FOLDER COMMAND...: run the command in the clone. It has the machine's network, because it fetches packages first.
there() {
  local name pass=()
  for name in http_proxy https_proxy no_proxy SSL_CERT_FILE PIP_CERT NODE_EXTRA_CA_CERTS; do
    [[ -z ${!name-} ]] || pass+=("$name=${!name}")
  done
  # shellcheck disable=SC2016 # expanded there
  interruptible check/apart --online --root "$1" \
    env -i ${pass[@]+"${pass[@]}"} HOME=/root TERM=dumb PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'cd /root/redfix && exec "$@"' sh "${@:2}"
}

# says WHAT FOLDER COMMAND...: run the command there, print how it ended and its last lines, and count it.
says() {
  local what=$1 status=0 started=$SECONDS log
  log=$kept/${what// /-}.log
  there "${@:2}" >"$log" 2>&1 || status=$?
  [[ -z $caught ]] || leave 1
  printf '\n== fresh: %s: %s after %d s (%s)\n' "$what" "$([[ $status == 0 ]] && echo ok || echo "FAILED ($status)")" $((SECONDS - started)) "$log"
  tail -n 30 "$log" | cut -c 1-200 | sed 's/^/  | /'
  if ((status == 0)); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

for release; do
  fresh=$(mktemp -d "/var/tmp/redfix-fresh-$release.XXXX")
  chmod 755 "$fresh"
  undo "! mountpoint -q '$fresh/opt/rust' || umount '$fresh/opt/rust' && rm -rf --one-file-system '$fresh'"
  make_root "$release" "$fresh" || cannot "making a root of $release: mmdebstrap failed (see above)"
  for target in ${FRESH:-demo test}; do
    says "$release make $target" "$fresh" make "$target"
  done
  rm -rf "${kept:?}/$release"
  cp -a "$fresh/root/redfix/target/test" "$kept/$release" 2>/dev/null || true
  undo_all
done
printf '%d passed, %d failed\n' "$passed" "$failed"
leave $((failed > 0))
