#!/usr/bin/env bash
# fuzz.sh check | SECONDS [TARGET...]: build every fuzz target and run each over its seeds (`check`, which CI does), or fuzz
# each for so long with cargo-fuzz. What is found is kept in fuzz/artifacts, and becomes a test. Exits 1 where one fails.
#
# With the stable compiler: cargo-fuzz needs a nightly one only for its address sanitizer, and nothing here is unsafe.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cd "$root/fuzz"
mapfile -t targets < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
failed=()

# A target that nothing was ever put into is no check.
for target in "${targets[@]}"; do
  compgen -G "seeds/$target/*" >/dev/null || cannot "looking for seeds: fuzz/seeds/$target: none"
  grep -q "^name = \"$target\"" Cargo.toml || cannot "reading fuzz/Cargo.toml: $target: no such target"
done

# The versions of the tree, and what check/fetch took beside them.
[[ -e Cargo.lock ]] || cannot 'looking for fuzz/Cargo.lock: not there' 'check/fetch test'

case ${1-} in
  check)
    # What the tree's build has made serves here.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
    cargo build --offline --quiet
    folder=$CARGO_TARGET_DIR/debug
    # Given files, a target runs each of them once.
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
