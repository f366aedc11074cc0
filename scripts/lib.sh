# shellcheck shell=bash
# lib.sh: what every script of the flow needs: settings, tools, engine, forge, and an investigation that can
# be interrupted at any moment and goes on where it was.
set -euo pipefail

scripts=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$(dirname "$scripts")
ground=$root/ground
self=$(basename "$0")

say() { printf '%s: %s\n' "$self" "$*" >&2; }

# cannot MESSAGE [HINT]: end with exit 2.
cannot() {
  say "$1"
  [[ -z ${2-} ]] || printf '  hint: %s\n' "$2" >&2
  exit 2
}

# need PROGRAM...: end unless they are there, saying what has the first that is not.
need() {
  local program package
  for program; do
    ! command -v "$program" >/dev/null || continue
    package=$(awk -v program="$program" '$1 == program { gsub(/\|/, " or ", $2); print $2; exit }' "$scripts/packages")
    cannot "looking for programs: $program: not found" "$([[ -n $package ]] && echo "apt-get install $package" || echo 'make build makes our own tools')"
  done
}

# distribution_first: the docker client and the Python of this Debian, whatever else stands in the PATH.
distribution_first() {
  local folder=${REDFIX_CACHE:-/var/cache/redfix}/distribution program
  mkdir -p "$folder" 2>/dev/null || cannot "making $folder: cannot" 'set REDFIX_CACHE to a folder that you may write'
  for program in docker python3; do
    [[ ! -x /usr/bin/$program || $(readlink "$folder/$program") == "/usr/bin/$program" ]] ||
      ln -sfn "/usr/bin/$program" "$folder/$program" || cannot "writing $folder: cannot" 'set REDFIX_CACHE to a folder that you may write'
  done
  PATH=$folder:$PATH
}

# stack_of DOMAIN: the stack that abra makes of it.
stack_of() {
  local stack=${1//./_}
  stack=${stack,,}
  printf '%s\n' "${stack:0:45}"
}

# The operator's settings: redfix.d/settings lists them.
settings=${REDFIX_ENV:-/etc/redfix/env}
if [[ -r $settings ]]; then
  set -a
  # shellcheck source=/dev/null
  . "$settings"
  set +a
fi
# Who is started from here has them, and what was set since counts.
export REDFIX_ENV=/dev/null
export REDFIX_DIR=${REDFIX_DIR:-$HOME/.local/state/redfix}
export REDFIX_BASE_DOMAIN=${REDFIX_BASE_DOMAIN:-ci.example}
# What is started from here may start in another folder (the CI behind the queue does, in its clone) and means the same.
while read -r name kind _; do
  [[ $kind == path ]] || continue
  [[ -z ${!name-} || ${!name} == /* ]] || export "$name=$PWD/${!name}"
done < <(cat "$scripts/redfix.d/settings" - <<<'REDFIX_HARNESS path')
case ${REDFIX_FORGE-} in dir:[!/]*) export REDFIX_FORGE=dir:$PWD/${REDFIX_FORGE#dir:} ;; esac
# The folder of recipes: ours, or somebody else's in the same shape (without lib/: then ours is used).
recipes=${REDFIX_RECIPES:-$ground/rows}
# The tools: as they were built here, or beside us where we are installed.
built=$root/target/release
[[ ! -d $root/bin ]] || built=$root/bin
export PATH=${REDFIX_BIN:-$built}:$scripts:$ground:$PATH

# Things to undo at the end, last first, whatever the end is.
undo_steps=()
undo() { undo_steps=("$*" ${undo_steps[@]+"${undo_steps[@]}"}); }
undo_all() {
  local step
  for step in ${undo_steps[@]+"${undo_steps[@]}"}; do
    eval "$step" || say "undoing: '$step' failed"
  done
  undo_steps=()
}
# A script that dies between the lines still ends what it started, and waits for its teardown.
jobs=()
trap 'end_groups 150; undo_all' EXIT

# running PID...: whether one of them is alive.
running() { kill -0 "$@" 2>/dev/null; }

# end_group PID [SECONDS]: end a background job's process group, the hard way after SECONDS.
end_group() {
  local pid=$1 left=$((${2:-20} * 10))
  kill -TERM -- "-$pid" 2>/dev/null || true
  while running -- "-$pid" && ((left-- > 0)); do sleep 0.1; done
  kill -KILL -- "-$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# end_groups SECONDS: end every job that was started.
end_groups() {
  local pid
  for pid in ${jobs[@]+"${jobs[@]}"}; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  for pid in ${jobs[@]+"${jobs[@]}"}; do end_group "$pid" "$1"; done
  jobs=()
}

# start COMMAND...: run it in the background, in a process group of its own. The lock of an investigation (9) stays this
# script's alone: what outlives a killed script for a moment does not keep the next one out.
start() {
  set -m
  "$@" </dev/null 9>&- &
  jobs+=($!)
  set +m
}

# finish: wait for everything that was started, and return the last one's exit code; `statuses` has them all, in the order
# of their start. INT, TERM and HUP reach all of it, and this script goes on to its own clean-up once all of it has ended.
caught='' statuses=()
finish() {
  local name pid status=0
  for name in INT TERM HUP; do
    # shellcheck disable=SC2064 # the name is meant now
    trap "caught=$name; signal_all $name" "$name"
  done
  statuses=()
  for pid in "${jobs[@]}"; do
    status=0
    wait "$pid" || status=$?
    while running -- "-$pid"; do
      wait "$pid" 2>/dev/null || true
      sleep 0.1
    done
    statuses+=("$status")
  done
  jobs=()
  trap - INT TERM HUP
  return "$status"
}

signal_all() {
  local pid
  for pid in "${jobs[@]}"; do kill -"$1" -- "-$pid" 2>/dev/null || true; done
}

# interruptible COMMAND...: run it as such a job, to its end.
interruptible() {
  start "$@"
  finish
}

# leave STATUS: exit, or die by the signal that ended us, after everything is undone.
leave() {
  undo_all
  if [[ -n $caught ]]; then
    trap - EXIT
    kill -"$caught" $$
  fi
  exit "$1"
}

# engine_up NAME: use the engine that DOCKER_HOST names, else a private one, which goes again at the end unless it was there
# before.
engine_up() {
  if [[ -z ${DOCKER_HOST-} ]]; then
    if ! engine status --name "$1" >/dev/null 2>&1; then
      undo "engine down --name '$1'"
      interruptible engine up --name "$1" || leave $?
    fi
    eval "$(engine env --name "$1")"
  fi
  export DOCKER_HOST REDFIX_NODE_ADDR=${REDFIX_NODE_ADDR:-127.0.0.1}
  [[ -z ${REDFIX_NODES-} ]] || export REDFIX_NODES
}

# swarm_lock NAME: a file to lock for what scripts of this swarm share: its `neighbours`, a load.
swarm_lock() { printf '/run/lock/redfix-%s-%s\n' "$1" "$(docker info --format '{{.Swarm.Cluster.ID}}')"; }

# about RECIPE FILTER: a word of its recipe.json, by jq; empty where it says nothing.
about() { jq -r "$2 // empty" "$recipes/$1/recipe.json"; }

# images_of RECIPE...: build and load what their recipe.json names.
images_of() {
  local recipe images
  mapfile -t images < <(for recipe; do about "$recipe" '.images[]?'; done | sort -u)
  ((${#images[@]} == 0)) || interruptible "$ground/images/build" "${images[@]}" || leave $?
}

# surround RECIPE...: where the recipe.json of one of them says `"neighbours": true`, the live services that stand around
# it are there until the last script that asked for them has ended, and no run may touch them.
surround() {
  local recipe wanted='' live='warm-keycloak_* warm-lasuite-docs_*'
  for recipe; do
    [[ $(about "$recipe" .neighbours) != true ]] || wanted=1
  done
  [[ -n $wanted ]] || return 0
  undo "exec {among}>&-; '$ground/neighbours/run' return"
  exec {among}>>"$(swarm_lock neighbours)"
  flock -s "$among"
  interruptible "$ground/neighbours/run" borrow || leave $?
  [[ " ${REDFIX_PROTECT-} " == *" $live "* ]] || export REDFIX_PROTECT="${REDFIX_PROTECT-} $live"
}

# publish REPO FOLDER MESSAGE [TAG]: a commit with exactly what FOLDER holds, on the branch main of REPO in the built-in
# review queue; none where main has that already.
publish() {
  local bare=${REDFIX_FORGE#dir:}/$1.git copy tree parent=() commit queue
  mkdir -p "${REDFIX_FORGE#dir:}"
  exec {queue}>>"${REDFIX_FORGE#dir:}/publish.lock"
  flock "$queue"
  copy=$(mktemp -d)
  undo "rm -rf '$copy'"
  [[ -d $bare ]] || git init -q --bare --initial-branch=main "$bare"
  cp -a "$2/." "$copy"
  local git=(git -C "$copy" --git-dir="$bare" --work-tree="$copy" -c user.name=redfix -c user.email=redfix@localhost)
  "${git[@]}" read-tree --empty
  "${git[@]}" add -A .
  tree=$("${git[@]}" write-tree)
  if commit=$("${git[@]}" rev-parse -q --verify main); then
    parent=(-p "$commit")
  fi
  if [[ -z $commit || $("${git[@]}" rev-parse "main^{tree}") != "$tree" ]]; then
    commit=$("${git[@]}" commit-tree "$tree" ${parent[@]+"${parent[@]}"} -m "$3")
    "${git[@]}" update-ref refs/heads/main "$commit"
    [[ -z ${4-} ]] || "${git[@]}" update-ref "refs/tags/$4" "$commit"
  fi
  exec {queue}>&-
}

# forge RECIPE: the built-in review queue for those who have no forge: the harness, and the recipe with a tag for each
# release, as bare repositories.
forge() {
  export REDFIX_FORGE=${REDFIX_FORGE:-dir:$REDFIX_DIR/forge}
  export REDFIX_OWNER=${REDFIX_OWNER:-recipe-maintainers}
  [[ $REDFIX_FORGE == dir:* ]] || return 0
  local version
  publish "$REDFIX_OWNER/harness" "$recipes" 'the harness as it is'
  [[ ! -d ${REDFIX_FORGE#dir:}/$REDFIX_OWNER/$1.git ]] || return 0
  for version in $(cd "$recipes/$1/releases" && printf '%s\n' * | sort -V); do
    publish "$REDFIX_OWNER/$1" "$recipes/$1/releases/$version/" "release $version" "$version"
  done
}

# review_ci: the CI behind the built-in queue, beside us until the end. A queue has one at a time; the next takes over.
review_ci() {
  [[ $REDFIX_FORGE == dir:* ]] || return 0
  set -m
  # shellcheck disable=SC2016 # expanded by the inner shell
  sh -c 'until "$@"; do [ $? = 75 ] && sleep 1 || exit; done' sh \
    review-ci --forge "${REDFIX_FORGE#dir:}" --follow -- "$ground/ci-lifecycle" </dev/null >>"$REDFIX_DIR/review-ci.log" 2>&1 9>&- &
  set +m
  undo "end_group $!"
}

# The stages of a recipe's pipe. What a recipe's runs need stands in its recipe.json: `load`, `companion`, `needs`, `timeout`,
# `idle_timeout`; how a fix is proposed stands beside its patch, in fixes/FIX/options.

# failed RECIPE: the ledger so far, or the failing cases that start it: of the sweep, else those recorded with the recipe.
failed() {
  local results=$REDFIX_DIR/sweep/$1
  [[ -d $results ]] || results=$recipes/$1/sweep.xml
  if [[ -s $REDFIX_LEDGER ]]; then cat "$REDFIX_LEDGER"; else case-failed "$results" --recipe "$1"; fi
}

# lease RECIPE: a domain and a stack for its runs, with room for the longest name in its release under test.
lease() { warm-domain-alloc --class run --compose "$recipes/$1/releases/$(about "$1" .version)/compose.yml"; }

# experiment RECIPE [NEXT]: the runs that its cases need, or those that the command NEXT asks for.
experiment() {
  local next=${2:-case-failed --fill --recipe $1 | flake-classify --next} companion load allowed
  companion=$(about "$1" .companion) load=$(about "$1" .load)
  load=${load:-load slow 0.5}
  # Loaded runs of several recipes share the swarm, and the load: the same one twice would be another.
  load="flock $(swarm_lock "load-$(printf %s "$load" | cksum | cut -d ' ' -f 1)") sh -c $(printf %q "$load")"
  # Another CI's runner calls its stack as it likes.
  [[ -z ${HARNESS-} ]] || companion=attach
  mapfile -t allowed < <(about "$1" '(.needs[]? | "--allow=\(.kind)=\(.value)"),
    (.timeout // empty | "--timeout=\(.)"), (.idle_timeout // empty | "--idle-timeout=\(.)")')
  allowed=(${allowed[@]+"${allowed[@]//"{base}"/$REDFIX_BASE_DOMAIN}"})
  try_later swarm-isolate -v --until "$next" --companion "${companion:-log-snap attach}" --load-with "$load" \
    ${allowed[@]+"${allowed[@]}"} -- lifecycle "$1"
}

# propose RECIPE [FIX...]: a pull request for each fix (all in its folder), in the repository that it is for, tested by the
# CI there.
propose() {
  local chosen fix repo options=()
  mapfile -t chosen < <(fixes_of "$@")
  ((${#chosen[@]})) || { cat && return; }
  fix=$recipes/$1/fixes/${chosen[0]}
  repo=$(<"$fix/repo")
  [[ $repo != recipe ]] || repo=$1
  [[ ! -e $fix/options ]] || mapfile -t options <"$fix/options"
  # A queue on disk may be asked often, and what its one CI has said stands.
  [[ $REDFIX_FORGE != dir:* ]] || options+=(--poll 100ms --require-context cc-ci/testme)
  try_later pr-open -v --fix "$fix" --repo "$repo" --testme --wait ${options[@]+"${options[@]}"} |
    if ((${#chosen[@]} > 1)); then propose "$1" "${chosen[@]:1}"; else cat; fi
}

# fixes_of RECIPE [FIX...]: these, else all in its folder.
fixes_of() {
  local patch
  (($# == 1)) || { printf '%s\n' "${@:2}" && return; }
  for patch in "$recipes/$1"/fixes/*/patch; do [[ ! -e $patch ]] || basename "$(dirname "$patch")"; done
}

# trial RECIPE [FIX...]: each proved fix (all in its folder) is promoted on a copy of the recipe's canonical.
trial() {
  local chosen
  mapfile -t chosen < <(fixes_of "$@")
  if ((${#chosen[@]})); then promote "$1" "${chosen[@]/#/--trial=}"; else cat; fi
}

# try_later COMMAND...: run it; where it says 75, the investigation stays open and the same command goes on.
try_later() {
  local status=0
  "$@" || status=$?
  ((status != 75)) || : >"$folder/later"
  return "$status"
}

# newest RECIPE [REDFIX_DIR]: the folder of its latest investigation; 1 where there is none.
newest() {
  local ledgers=("${2:-$REDFIX_DIR}/$1"/*/ledger.jsonl)
  [[ -e ${ledgers[-1]} ]] && dirname "${ledgers[-1]}"
}

# open_investigation RECIPE: go on with the one that was interrupted, which has no report.md yet, or begin a new one.
open_investigation() {
  mkdir -p "$REDFIX_DIR/$1"
  exec 9>"$REDFIX_DIR/$1/lock"
  # One that was killed tears down, and holds this lock until it has.
  flock -n 9 || { say "waiting for another investigation of $1 to end" && flock -w 300 9; } ||
    cannot "investigating $1: another investigation of it is running here" "wait for it, or set REDFIX_DIR"
  if folder=$(newest "$1") && [[ ! -e $folder/report.md ]]; then
    say "going on with $1/${folder##*/}: $(wc -l <"$folder/ledger.jsonl") records, $(grep -c '"type":"run.finished"' "$folder/ledger.jsonl" || true) runs"
    swarm-isolate reap --ledger "$folder/ledger.jsonl" >/dev/null || (($? == 1)) || say "not all that a killed run left could be removed"
    rm -f "$folder/later"
  else
    folder=$(mktemp -d "$REDFIX_DIR/$1/$(date -u +%Y%m%dT%H%M%S)-XXXXXX")
  fi
  export REDFIX_LEDGER=$folder/ledger.jsonl
  # shellcheck disable=SC2016 # expanded when it is undone
  undo '[[ ! -s $REDFIX_LEDGER ]] || warm-domain-alloc release <"$REDFIX_LEDGER" >/dev/null'
}

# investigate RECIPE PIPE [open]: run the function PIPE as this recipe's investigation, from red to report; `open`: without a
# report, so that it goes on.
investigate() {
  local status=0
  need git jq flock python3
  engine_up redfix
  images_of "$1"
  surround "$1"
  open_investigation "$1"
  forge "$1"
  review_ci
  interruptible "$2" >"$folder/report.txt" || status=$?
  [[ -n $caught ]] || cat "$folder/report.txt"
  if [[ -n $caught || -e $folder/later ]]; then
    say "not at its end: the same command goes on from $REDFIX_LEDGER"
    leave 75
  fi
  [[ -z ${3-} ]] || leave "$status"
  redfix-report --format md "$REDFIX_LEDGER" >"$folder/report.part" || true
  mv "$folder/report.part" "$folder/report.md"
  say "report: $folder/report.md"
  leave "$status"
}
