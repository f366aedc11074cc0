# shellcheck shell=bash
# run.sh: the recipes take turns, one experiment at a time; whose cases are settled gets its pull requests and their
# checks; at the end stands the report on all of them.
# shellcheck disable=SC2154 # set by redfix, flow.sh and lib.sh

# How often a recipe may come back without a new run before it is left as it is.
patience=3

# start RECIPE [VAR=VALUE...]: its script, which ends and tears down when we are killed.
start() {
  local recipe=$1 script
  script=$(script_of "$1")
  interruptible env REDFIX_DIR="$home" SWEEP="$failing/$1" "${@:2}" setpriv --pdeathsig TERM -- \
    "$script" "$recipe" >>"$home/$recipe.log" 2>&1
}

runs_of() { records "$1" | grep -c '"type":"run.finished"' || true; }

# unanswered RECIPE: a pull request of it waits for CI.
unanswered() {
  records "$1" | jq -en '[inputs | select(.type == "pr.checked")] | group_by([.repo, .number]) |
    any(last.state == "pending")' >/dev/null
}

# within SECONDS: so much more fits the budget; else that is the end for now.
within() {
  [[ -n $budget ]] && ((SECONDS + $1 > budget_seconds)) || return 0
  say "the budget of $budget is spent; redfix resume --budget TIME goes on"
  leave 75
}

# look_at RECIPE: its state, when it is not done: `due RUNS PLACE NOT-BEFORE RECIPE PLAN` (its place among those with as many
# runs), or `settled RECIPE`.
look_at() {
  local plans plan status=0 until=0 place
  plans=$(planned "$1") || status=$?
  plan=${plans%%$'\n'*}
  if ((status != 1 || ${stalled[$1]:-0} >= patience)); then
    printf 'settled\t%s\n' "$1"
    return
  fi
  [[ -n $short ]] || until=$(not_before "$1" "$plan")
  place=$(order_of "$1")
  printf 'due\t%s\t%s\t%s\t%s\t%s\n' "$(runs_of "$1")" "${place:-$(run_seconds "$1")}" "$until" "$1" "$plan"
}

# look: the state of each recipe that is not done. It changes with a run of it only.
look() {
  local recipe
  for recipe in "${open[@]}"; do
    [[ -n ${states[$recipe]-} ]] || states[$recipe]=$(look_at "$recipe")
    printf '%s\n' "${states[$recipe]}"
  done
}

# experiment RECIPE PLAN: the one run that its case needs next.
experiment() {
  local before after said status=0
  before=$(runs_of "$1")
  said=$(jq -r '[.factors | to_entries[] | select(.value != "none") | "\(.key)=\(.value[:12])"] | join(" ")' <<<"$2")
  say "$((done_runs + 1)): $1, $said (about $(run_seconds "$1") s)"
  states[$1]=''
  start "$1" REDFIX_STEP="$before" REDFIX_LAST_STAGE="$(last_stage "$2")" || status=$?
  [[ -z $caught ]] || leave 1
  after=$(runs_of "$1")
  done_runs=$((done_runs + after - before))
  if ((after > before)); then
    stalled[$1]=0
    records "$1" | jq -rn --arg self "$self" 'last(inputs | select(.type == "run.finished")) |
      "\($self):    \(.outcome) after \(.duration_ms / 1000 | floor) s" + (if .isolation.proved then "" else ", its condition is not proved" end)' >&2
  else
    stalled[$1]=$((${stalled[$1]:-0} + 1))
    say "$1: no run was made (exit $status), see $home/$1.log"
    interruptible sleep $((status == 75 ? 30 : 1)) || true
    [[ -z $caught ]] || leave 1
  fi
}

# conclude RECIPE: its verdict, pull requests and checks. Nothing else runs meanwhile.
conclude() {
  local try status=0
  for try in 1 2; do
    say "$1: its pull requests and their checks"
    status=0
    start "$1" || status=$?
    [[ -z $caught ]] || leave 1
    unanswered "$1" || { : >"$home/$1.done" && return; }
    ln -sfn "$(readlink -f "$home/$1.last")" "$home/$1.open"
    say "$1: CI has not answered$([[ $try == 2 ]] || echo ', asking again')"
  done
  say "while a !testme is pending nothing is run: redfix resume goes on"
  leave 75
}

# turns: until every recipe is concluded. Fewest runs first, then the cheapest, or the order drawn.
turns() {
  local -A states=()
  local recipe plan until
  while open_recipes && ((${#open[@]})); do
    look >"$home/states"
    if IFS=$'\t' read -r _ recipe < <(grep '^settled' "$home/states"); then
      conclude "$recipe"
    elif IFS=$'\t' read -r _ _ _ _ recipe plan < <(
      awk -F '\t' -v now="$EPOCHSECONDS" '$4 <= now' "$home/states" | sort -t $'\t' -k 2,2n -k 3,3n
    ); then
      within "$(run_seconds "$recipe")"
      experiment "$recipe" "$plan"
    else
      until=$(cut -f4 "$home/states" | sort -n | head -n 1)
      within $((until - EPOCHSECONDS))
      say "the next red run tells more in $((until - EPOCHSECONDS)) s, $spacing s after the first"
      interruptible sleep $((until - EPOCHSECONDS)) || true
      [[ -z $caught ]] || leave 1
    fi
  done
  rm -f "$home/states"
}

# open_recipes: sets `open`: those of the flow that are not concluded.
open_recipes() {
  local recipe
  open=()
  for recipe in "${wanted[@]}"; do
    [[ -e $home/$recipe.done ]] || open+=("$recipe")
  done
}

# go_on: everything that is still to be done in this flow, and its end.
go_on() {
  local status=0 done_runs=0 budget_seconds=0
  local -a open=()
  local -A stalled=()
  budget_seconds=$(seconds_in "${budget:-0}") || cannot "reading arguments: --budget: $budget: no time" "such as 90m or 8h"
  if [[ -e $home/short ]]; then
    short=1
    export REDFIX_ACCEPT_CORRELATED=true
    echo "SHORTENED: red runs count as genuine however close in time they are (REDFIX_ACCEPT_CORRELATED); spacing 0 s"
  else
    say "the first and the last red run of a case are at least $spacing s apart (REDFIX_SPACING)"
  fi
  export REDFIX_FORGE=${REDFIX_FORGE:-dir:$REDFIX_DIR/forge}
  mapfile -t wanted <"$home/recipes"
  show_plan "${wanted[@]}"
  engine_up redfix
  images_of "${wanted[@]}"
  surround "${wanted[@]}"
  turns
  report || status=$?
  ln -sfn "$home" "$REDFIX_DIR/redfix.last"
  rm -f "$REDFIX_DIR/redfix.open"
  leave "$status"
}

# one_at_a_time: one flow for each REDFIX_DIR.
one_at_a_time() {
  mkdir -p "$REDFIX_DIR"
  exec 7>"$REDFIX_DIR/redfix.lock"
  flock -w 10 7 || cannot "opening the flow: $REDFIX_DIR: another redfix is at it" "wait for it, or set REDFIX_DIR"
}

redfix_run() {
  local from list
  one_at_a_time
  [[ ! -d $REDFIX_DIR/redfix.open ]] ||
    cannot "opening the flow: $(readlink -f "$REDFIX_DIR/redfix.open") was interrupted" "redfix resume; or rm $REDFIX_DIR/redfix.open"
  from=$(sweep_folder)
  list=$(red_recipes "$from/failed.jsonl")
  [[ -n $list ]] || cannot "reading the sweep: $from/failed.jsonl: nothing is red"
  home=$REDFIX_DIR/redfix-$(new_id)
  failing=$home/sweep
  (umask 077 && mkdir "$home")
  cp -a "$from" "$failing"
  printf '%s\n' "$list" >"$home/recipes"
  [[ -z $short ]] || : >"$home/short"
  ln -sfn "$home" "$REDFIX_DIR/redfix.open"
  go_on
}

redfix_resume() {
  local link
  one_at_a_time
  home=$(readlink -e "$REDFIX_DIR/redfix.open") || cannot "opening the flow: $REDFIX_DIR: none was interrupted" "redfix run"
  failing=$home/sweep
  engine_up redfix
  for link in "$home"/*.open; do
    [[ -e $link ]] || continue
    # What was started by a redfix that was killed tears down, and holds this lock until it has.
    flock -w 300 "${link%.open}.lock" true || cannot "going on: ${link%.open}: its last run does not end"
    swarm-isolate reap --ledger "$link/ledger.jsonl" >/dev/null || (($? == 1)) || say "$(basename "$link" .open): not all could be reaped"
  done
  go_on
}
