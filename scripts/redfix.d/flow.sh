# shellcheck shell=bash
# flow.sh: where what is known of a sweep's red recipes stands. `home` is the folder of the flow, which `redfix run` makes of a
# failing set: sweep/ (the results it began with), recipes (their names), RECIPE/TIME-XXXXXX/ (each recipe's investigations).
# shellcheck disable=SC2154 # set by redfix, recheck and lib.sh

# sweep_folder: the results to begin with: those that were asked for, else the last sweep's.
sweep_folder() {
  local sweeps=("$REDFIX_DIR"/sweep-*/failed.jsonl) folder
  folder=${sweep:-$(dirname "${sweeps[-1]}")}
  [[ -r $folder/failed.jsonl ]] || cannot "reading the sweep: $folder: no failed.jsonl" "scripts/sweep makes it; or --sweep DIR"
  readlink -f "$folder"
}

# home_of SWEEP: the folder for this failing set, so that the same command goes on with what was interrupted.
home_of() { printf '%s/redfix-%.12s\n' "$REDFIX_DIR" "$(sha256sum <"$1/failed.jsonl")"; }

# red_recipes SWEEP: those of its recipes that are wanted.
red_recipes() {
  local recipe known=()
  mapfile -t known < <(jq -r .recipe "$1/failed.jsonl" | sort -u)
  for recipe in ${names[@]+"${names[@]}"}; do
    [[ " ${known[*]} " == *" $recipe "* ]] || cannot "reading the sweep: $1/failed.jsonl: $recipe is not red there"
  done
  printf '%s\n' "${names[@]-${known[@]}}"
}

# records RECIPE: what is known of it so far: its ledger, else what the sweep in `failing` says.
records() {
  local latest
  if latest=$(newest "$1" "$home"); then cat "$latest/ledger.jsonl"; else
    jq -c --arg recipe "$1" 'select(.recipe == $recipe)' "$failing/failed.jsonl"
  fi
}

# ledgers: the files of this flow: each recipe's (what the sweep says, where it has none: no case is forgotten), and what
# was said at a second look.
ledgers() {
  local recipe latest
  while read -r recipe; do
    if latest=$(newest "$recipe" "$home"); then printf '%s\n' "$latest/ledger.jsonl"; else
      records "$recipe" >"$home/$recipe.jsonl"
      printf '%s\n' "$home/$recipe.jsonl"
    fi
  done <"$home/recipes"
  readlink -e "$home/reviews.jsonl" || true
}

# so_far: the gates while something is still to come: nothing is written.
so_far() {
  local ledgers
  mapfile -t ledgers < <(ledgers)
  redfix-report --recheck "${ledgers[@]}" || (($? == 1))
}

# report: on all of them together. A flow whose folder has no report/ is to be gone on with.
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
