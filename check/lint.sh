#!/usr/bin/env bash
# lint.sh [changed]: check everything that can be checked without running the tools; with `changed`, only files that differ
# from the last commit. A check whose program is missing fails.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

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

changed=''
case ${1-} in
  '') ;;
  changed) changed=1 ;;
  *) cannot "reading arguments: $*: expected changed or nothing" 'make lint' ;;
esac

git ls-files --error-unmatch Makefile >/dev/null ||
  cannot 'listing files: git cannot read this checkout' "git config --global --add safe.directory $root"

# files [PATH...]: the files of the repository; with `changed` only those that differ from the last commit.
files() {
  if [[ -n $changed ]]; then
    { git diff --name-only --diff-filter=d HEAD -- "$@" && git ls-files --others --exclude-standard -- "$@"; } | sort -u
  else
    git ls-files -- "$@"
  fi | while read -r file; do [[ ! -f $file ]] || printf '%s\n' "$file"; done
}
# starting REGEX PATH...: the files whose first line matches.
starting() {
  local words=$1 file
  files "${@:2}" | while read -r file; do ! head -1 "$file" | grep -qE "$words" || printf '%s\n' "$file"; done
}
long_files() {
  local long
  long=$(git ls-files '*.rs' | xargs wc -l | awk '$2 != "total" && $1 > 400')
  [[ -z $long ]] || { printf 'over 400 lines:\n%s\n' "$long" && return 1; }
}
# Limits the number of packages in Cargo.lock (those of the tests and our own included), so that nobody adds a dependency
# without thinking about it.
few_packages() {
  local count most=331
  count=$(grep -c '^\[\[package\]\]' Cargo.lock)
  printf 'lint: %d packages in Cargo.lock, at most %d\n' "$count" "$most" >&3
  ((count <= most))
}
compiles() { python3 -c 'import ast,sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' "$@"; }

mapfile -t shells < <(starting '^#!.*(bash|sh)$|shellcheck shell' scripts ground check benches examples tests dist .ci)
mapfile -t pythons < <(starting python3 scripts ground examples)
mapfile -t pages < <(files 'man/*.[157]')
mapfile -t rusts < <(files '*.rs' '*Cargo.toml' Cargo.lock)
[[ -n $changed ]] || ((${#shells[@]} && ${#pythons[@]} && ${#pages[@]})) || cannot 'listing files: none was found'
if [[ -z $changed ]] || ((${#rusts[@]})); then
  check rustfmt cargo fmt --all --check
  check clippy cargo clippy --locked --offline --workspace --all-targets --quiet -- -D warnings
  check 'file lengths' long_files
  check 'number of packages' few_packages
fi
if [[ -z $changed ]]; then
  check rustdoc env RUSTDOCFLAGS='-D warnings' cargo doc --locked --offline --workspace --no-deps --document-private-items --quiet
  check cargo-deny cargo deny --offline check licenses bans sources
fi
if ((${#shells[@]})); then
  check shellcheck shellcheck -x "${shells[@]}"
  check shfmt shfmt -i 2 -ci -d "${shells[@]}"
fi
((${#pythons[@]} == 0)) || check python compiles "${pythons[@]}"
((${#pages[@]} == 0)) || check mandoc mandoc -T lint -W warning "${pages[@]}"
check typos typos
exit $((failed > 0))
