#!/usr/bin/env bash
# lint.sh: everything that is checked without running the tools. Names what it could not check.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
PATH=${REDFIX_CACHE:-/var/cache/redfix}/lint/bin:$PATH

exec 3>&1
failed=0
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'lint: %s: ok\n' "$name"
  else
    printf 'lint: %s: FAILED\n%s\n' "$name" "$output"
    failed=$((failed + 1))
  fi
}

shell_scripts() { git ls-files scripts benches examples tests/helpers tests/unseen dist .ci | while read -r file; do [[ -f $file ]] && head -1 "$file" | grep -qE '^#!.*(bash|sh)$|shellcheck shell' && printf '%s\n' "$file"; done; }
python_scripts() { git ls-files scripts examples tests/unseen | while read -r file; do [[ -f $file ]] && head -1 "$file" | grep -q 'python3' && printf '%s\n' "$file"; done; }
long_files() {
  local long
  long=$(git ls-files '*.rs' | xargs wc -l | awk '$2 != "total" && $1 > 400')
  [[ -z $long ]] || { printf 'over 400 lines:\n%s\n' "$long" && return 1; }
}
# Packages in Cargo.lock, those of the tests and our own included: one more has to be worth it.
few_packages() {
  local count most=340
  count=$(grep -c '^\[\[package\]\]' Cargo.lock)
  printf 'lint: %d packages in Cargo.lock, at most %d\n' "$count" "$most" >&3
  ((count <= most))
}
# It reads the manifests of all platforms, more than a build has fetched.
deny() { cargo fetch --locked --quiet && cargo deny --offline check licenses bans sources; }
compiles() { python3 -c 'import ast,sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' "$@"; }

mapfile -t shells < <(shell_scripts)
mapfile -t pythons < <(python_scripts)
check rustfmt cargo fmt --all --check
check clippy cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
check rustdoc env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items --quiet
check shellcheck shellcheck -x "${shells[@]}"
check shfmt shfmt -i 2 -ci -d "${shells[@]}"
check python compiles "${pythons[@]}"
check mandoc mandoc -T lint -W warning man/*.[157]
check 'file lengths' long_files
check 'number of packages' few_packages
for tool in typos cargo-deny; do
  if command -v "$tool" >/dev/null; then
    if [[ $tool == typos ]]; then check typos typos; else check cargo-deny deny; fi
  else
    printf 'lint: %s: NOT CHECKED, it is not installed (see CONTRIBUTING.md)\n' "$tool"
  fi
done
exit $((failed > 0))
