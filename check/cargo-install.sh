#!/usr/bin/env bash
# cargo-install.sh: check that `cargo install --path` installs each tool, that the tool starts, and that it uninstalls.
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"

to=$(mktemp -d)
undo "rm -rf '$to'"
passed=0 failed=0
for tool in "$root"/tools/*; do
  name=${tool##*/}
  # With the workspace's target folder, dependencies that are built already are not built again.
  if cargo install --quiet --locked --offline --path "$tool" --root "$to" --target-dir "${CARGO_TARGET_DIR:-$root/target}" &&
    [[ $("$to/bin/$name" --version) == "$name "* ]] && cargo uninstall --quiet --root "$to" "$name" && [[ ! -e $to/bin/$name ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'cargo-install: %s: FAILED\n' "$name"
  fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
leave $((failed > 0))
