#!/usr/bin/env bash
# expected.sh: compare the verdicts of investigations with the expect.jsonl of their recipes. A case that is not expected is
# a difference too.
. "$(dirname "$(readlink -f "$0")")/../scripts/lib.sh"

usage() {
  cat <<'END'
expected.sh: compare the last verdict on each case with expect.jsonl of its recipe

usage: expected.sh [--all] LEDGER...

options:
      --all   every recipe that has an expect.jsonl must be there

exit: 0 all verdicts are as expected; 1 they differ, with a line for each difference; 2 usage or environment error

example:
  check/expected.sh --all target/redfix/redfix-*/*/*/ledger.jsonl
END
}

# verdicts LEDGER: the last verdict on each case, with the fields of expect.jsonl.
verdicts() {
  jq -cn '[inputs | select(.type == "flake.verdict")] | group_by(.case)[] | last
    | {case, verdict, cause, route: .routes, factor: .shown_by.factor}' "$1"
}

# differs RECIPE LEDGER: print a line for each difference. Only the fields that expect.jsonl has are compared.
differs() {
  jq -rn --arg recipe "$1" --slurpfile expected "$recipes/$1/expect.jsonl" --slurpfile found <(verdicts "$2") '
    def told: to_entries | map("\(.key)=\(.value | if type == "array" then join("+") else . end)") | join(" ");
    ($expected[] | . as $want | ([$found[] | select(.case == $want.case)] | first) as $have
      | if $have == null then "\(.case): no verdict"
        else (with_entries(select($have[.key] != .value))) as $wrong | select($wrong != {})
          | "\(.case): expected \($wrong | told), found \($have | with_entries(select($wrong[.key])) | told)" end),
    ($found[] | select(.case | IN($expected[].case) | not) | "\(.case): not expected: \(told)")'
}

all='' seen=' ' wrong=0
case ${1-} in
  -h | --help) usage && exit 0 ;;
  --all) all=1 && shift ;;
esac
(($#)) || cannot "reading arguments: LEDGER: missing" "expected.sh --help"
need jq
for ledger; do
  recipe=$(jq -rn 'first(inputs | select(.type == "case.failed").recipe)' "$ledger") || recipe=''
  [[ -n $recipe ]] || cannot "reading the ledger: $ledger: no case in it"
  [[ -r $recipes/$recipe/expect.jsonl ]] || cannot "reading what is expected: $recipes/$recipe/expect.jsonl: not there"
  seen+="$recipe "
  said=$(differs "$recipe" "$ledger")
  if [[ -n $said ]]; then
    printf '%s\n' "$said"
    wrong=1
  else
    printf '%s: as expected: %s\n' "$recipe" "$(verdicts "$ledger" | jq -rs 'map("\(.verdict), \(.cause)") | join("; ")')"
  fi
done
if [[ -n $all ]]; then
  for recipe in "$recipes"/*/expect.jsonl; do
    recipe=$(basename "$(dirname "$recipe")")
    [[ $seen == *" $recipe "* ]] || { printf '%s: no ledger\n' "$recipe" && wrong=1; }
  done
fi
exit "$wrong"
