# shellcheck shell=bash
# plan.sh: runs and hours before anything is run.
# shellcheck disable=SC2154 # set by redfix and flow.sh

# plan_of RECIPE: a line for each case: recipe, test, next levels, fewest and expected runs for the verdict, levels and
# fixes that are to be tried after it, minutes at least and as expected.
plan_of() {
  local seconds plans cases
  seconds=$(run_seconds "$1")
  plans=$(planned "$1") || (($? == 1)) || say "$1: no plan: the last runs did not count"
  cases=$(records "$1" | jq -c 'select(.type == "case.failed")')
  jq -rn --argjson seconds "$seconds" --slurpfile plans <(printf '%s\n' "$plans") \
    --slurpfile cases <(printf '%s\n' "$cases") --arg recipe "$1" '
    [$cases[] | .case as $case | ([.contrasts[]? | select(.factor != "load") | .levels | length - 1] | add // 0) as $levels
      | ([$plans[] | select(.case == $case)] | first) as $plan | select($plan)
      | {case: ($case | sub("^[^/]*/"; "")), $levels, minimum: $plan.minimum_runs, expected: $plan.expected_runs,
        levels_text: ([$plan.factors | to_entries[] | select(.value != "none") | "\(.key)=\(.value)"] | join(" "))}][]
    | [$recipe, .case, .levels_text, .minimum, .expected, .levels,
       ((.minimum + 2 * .levels) * $seconds / 60), ((.expected + 3 * .levels) * $seconds / 60)] | @tsv'
}

# show_plan RECIPE...: the table, cheapest first, and its totals: one run serves all cases of a recipe.
show_plan() {
  local recipe
  for recipe; do plan_of "$recipe"; done | sort -t $'\t' -k 7,7n | awk -F '\t' '
    BEGIN { printf "%-16s %-40s %-24s %s\n", "recipe", "case", "next run", "runs for the verdict, levels and fixes after it, minutes" }
    function more(of, value) { if (value > of[$1]) of[$1] = value }
    function sum(of, recipe, all) { for (recipe in of) all += of[recipe]; return all }
    {
      printf "%-16s %-40.40s %-24s %d to %.1f, %d, %.0f to %.0f\n", $1, $2, $3, $4, $5, $6, $7, $8
      more(runs, $4 + 2 * $6); more(likely, $5 + 3 * $6); more(least, $7); more(most, $8)
    }
    END {
      if (NR) printf "%d cases: %d to %.0f runs, %.1f to %.1f hours\n", NR, sum(runs), sum(likely), sum(least) / 60, sum(most) / 60
      else print "nothing to run"
    }'
}

redfix_plan() {
  local list
  home=$REDFIX_DIR/redfix.open
  if [[ -n $sweep || ! -d $home/sweep ]]; then
    failing=$(sweep_folder)
    home=$REDFIX_DIR/none
  else
    failing=$home/sweep
  fi
  list=$(red_recipes "$failing/failed.jsonl")
  mapfile -t list <<<"$list"
  show_plan "${list[@]}"
}
