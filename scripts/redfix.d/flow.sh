# shellcheck shell=bash
# flow.sh: one flow: the sweep's failing set, a ledger for each of its recipes, what each of them needs next and what
# that costs. What is on disk is all that is known: whoever comes later goes on from it.
# shellcheck disable=SC2154 # set by redfix and lib.sh

# seconds_in TIME: 90 of 90, 90s, 1m30s; 5400 of 1h30m.
seconds_in() {
  local left=$1 sum=0
  [[ $1 =~ ^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s?)?$ && -n $1 ]] || return 1
  while [[ $left =~ ^([0-9]+)([dhms]?) ]]; do
    case ${BASH_REMATCH[2]} in
      d) sum=$((sum + BASH_REMATCH[1] * 86400)) ;;
      h) sum=$((sum + BASH_REMATCH[1] * 3600)) ;;
      m) sum=$((sum + BASH_REMATCH[1] * 60)) ;;
      *) sum=$((sum + BASH_REMATCH[1])) ;;
    esac
    left=${left#"${BASH_REMATCH[0]}"}
  done
  printf '%s\n' "$sum"
}

# sweep_folder: the results to start from.
sweep_folder() {
  local folder=${sweep:-$REDFIX_DIR/sweep.last}
  [[ -r $folder/failed.jsonl ]] ||
    cannot "reading the sweep: $folder: no failed.jsonl" "scripts/sweep makes it; or --sweep DIR"
  readlink -f "$folder"
}

# red_recipes FAILED: those of its recipes that are wanted.
red_recipes() {
  local recipe known=()
  mapfile -t known < <(jq -r .recipe "$1" | sort -u)
  for recipe in ${names[@]+"${names[@]}"}; do
    [[ " ${known[*]} " == *" $recipe "* ]] || cannot "reading the sweep: $1: $recipe is not red there"
  done
  printf '%s\n' "${names[@]-${known[@]}}"
}

# script_of RECIPE [FOLDER]: what investigates it, from our scripts or those in FOLDER.
script_of() {
  local from=${2:-$scripts}
  if [[ -z ${REDFIX_RECIPES-} && -x $from/$1.sh ]]; then echo "$from/$1.sh"; else echo "$from/investigate"; fi
}

# records RECIPE: what is known of it so far: its ledger, else what the sweep says.
records() {
  local ledger=$home/$1.open/ledger.jsonl
  [[ -s $ledger ]] || ledger=$home/$1.last/ledger.jsonl
  if [[ -s $ledger ]]; then
    cat "$ledger"
  else
    jq -c --arg recipe "$1" 'select(.recipe == $recipe)' "$failing/failed.jsonl"
  fi
}

# run_seconds RECIPE: what one run of it costs: the mean of those on record with their teardown, else the tests' times
# in the sweep and twelve seconds for what is around them.
run_seconds() {
  local mean
  mean=$(records "$1" | jq -n '[inputs | select(.type == "run.finished" and .duration_ms > 0) |
    .duration_ms + .cleanup.duration_ms] | if length > 0 then add / length / 1000 | ceil else empty end')
  if [[ -z $mean ]]; then
    mean=$(find "$failing/$1" -name '*.xml' -exec grep -oh '<testcase [^>]*time="[0-9.]*"' {} + 2>/dev/null |
      sed 's/.*time="\([0-9.]*\)"/\1/' | awk '{ sum += $1 } END { print int(sum) + 12 }')
  fi
  printf '%s\n' "${mean:-60}"
}

# planned RECIPE: its run.planned records; 1 when there are any, 0 when it is settled, 2 when it is stuck.
planned() {
  local status=0
  records "$1" | case-failed --fill --recipe "$1" | flake-classify --next 2>/dev/null || status=$?
  return "$status"
}

# last_stage PLAN: where a run that tries a fix may end: after the stage that its case was red in. The pull request's CI
# runs the whole life cycle with it.
last_stage() { jq -r 'select(.factors.fix != "none").case | sub("^[^/]*/"; "") | sub("/.*"; "")' <<<"$1"; }

# not_before RECIPE PLANNED: the time, in seconds since 1970, before which another red run would say nothing new: four
# reds with these very levels are on record that count, and the first of them was less than the spacing ago.
not_before() {
  records "$1" | jq -nr --argjson plan "$2" --argjson spacing "$spacing" '
    [inputs | select(.type == "run.finished" and .outcome == "fail" and .isolation.proved and $plan.factors.load == "isolated")
      | select(.factors as $factors | all($plan.factors | to_entries[]; $factors[.key] == .value)) | .started]
    | if length >= 4 then (sort | first | sub("\\.[0-9]+"; "") | fromdateiso8601 + 1 + $spacing) else 0 end'
}

# ledgers: the files of this flow: each recipe's (what the sweep says, where it has none: no case is forgotten), and what
# was said at a second look.
ledgers() {
  local recipe
  while read -r recipe; do
    readlink -e "$home/$recipe.last/ledger.jsonl" && continue
    records "$recipe" >"$home/$recipe.jsonl"
    printf '%s\n' "$home/$recipe.jsonl"
  done <"$home/recipes"
  readlink -e "$home/reviews.jsonl" || true
}

# report: on all of them together.
report() {
  local status=0 extra=() ledgers
  mapfile -t ledgers < <(ledgers)
  [[ -z $state_dir ]] || extra=(--state-dir "$state_dir")
  redfix-report --recheck --verify-evidence --format text,md,html,json --out "$home/report" ${extra[@]+"${extra[@]}"} \
    "${ledgers[@]}" >"$home/gates.txt" || status=$?
  cat "$home/gates.txt"
  say "report: $home/report/report.md (and .html)${state_dir:+; state files: $state_dir}"
  return "$status"
}

# spacing: how far apart the first and the last red run must be: flake-classify's own setting.
spacing=$(seconds_in "${REDFIX_SPACING:-10m}") || cannot "reading the settings: REDFIX_SPACING=$REDFIX_SPACING: no time"
