#!/usr/bin/env bash
# fuzz.sh check | SECONDS [TARGET...]: build every fuzz target and run each over its seeds (`check`, as CI does), or fuzz each
# target for so many seconds with cargo-fuzz. Inputs that crash a target are kept in fuzz/artifacts; make a test of each.
# Exits 1 when a target fails.
#
# The stable compiler is enough: cargo-fuzz needs a nightly one only for the address sanitizer, and no code here is unsafe.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cd "$root/fuzz"
mapfile -t targets < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
failed=()

# A target without seeds would pass without having read any input.
for target in "${targets[@]}"; do
  compgen -G "seeds/$target/*" >/dev/null || cannot "looking for seeds: fuzz/seeds/$target: none"
  grep -q "^name = \"$target\"" Cargo.toml || cannot "reading fuzz/Cargo.toml: $target: no such target"
done

# The versions of the tree, and what check/fetch took beside them.
[[ -e Cargo.lock ]] || cannot 'looking for fuzz/Cargo.lock: not there' 'check/fetch test'

case ${1-} in
  check)
    # Share the workspace's target folder, so that dependencies are not built again.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
    cargo build --offline --quiet
    folder=$CARGO_TARGET_DIR/debug
    # With files as arguments, a target runs each of them once.
    for target in "${targets[@]}"; do
      "$folder/$target" "seeds/$target"/* >/dev/null 2>&1 || failed+=("$target")
    done
    ;;
  [1-9]*)
    seconds=$1
    shift
    cache=${REDFIX_CACHE:-/var/cache/redfix}/fuzz
    PATH=$cache/bin:$PATH
    command -v cargo-fuzz >/dev/null || cargo install --quiet --locked --root "$cache" cargo-fuzz
    (($# == 0)) || targets=("$@")
    for target in "${targets[@]}"; do
      mkdir -p "corpus/$target"
      said=$(cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 2>&1) || failed+=("$target")
      printf '%-32s %10s runs  %s\n' "$target" "$(awk '/number_of_executed_units/ { print $2 }' <<<"$said")" \
        "$(grep -m1 -E 'panicked|ERROR' <<<"$said" || echo ok)"
    done
    ;;
  *) cannot "reading arguments: ${1-none}: expected check or seconds" "make fuzz T=60" ;;
esac
((${#failed[@]} == 0)) || printf 'failed: %s\n' "${failed[*]}"
printf '%d passed, %d failed\n' $((${#targets[@]} - ${#failed[@]})) ${#failed[@]}
exit $((${#failed[@]} > 0))
