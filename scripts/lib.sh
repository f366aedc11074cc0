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

# new_id: a ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32.
new_id() {
  local digits=0123456789ABCDEFGHJKMNPQRSTVWXYZ now=$((${EPOCHREALTIME/[.,]/} / 1000)) id='' shift byte
  for ((shift = 45; shift >= 0; shift -= 5)); do id+=${digits:now>>shift&31:1}; done
  for byte in $(od -An -N16 -tu1 /dev/urandom); do id+=${digits:byte&31:1}; done
  printf '%s\n' "$id"
}

# order_of RECIPE: its place, a number, in the order that REDFIX_ORDER (any word) draws; where that is not set, they have none.
order_of() {
  [[ -z ${REDFIX_ORDER-} ]] || printf '%d\n' "0x$(printf '%s %s' "$REDFIX_ORDER" "$1" | sha256sum | cut -c1-8)"
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
job=''
trap '[[ -z $job ]] || end_group "$job" 150; undo_all' EXIT

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

# interruptible COMMAND...: run it in a process group of its own; INT, TERM and HUP reach all of it, and this
# script goes on to its own clean-up once it has ended. The lock of the flow (7) is the script's alone: what outlives it
# for a moment, when it is killed, does not keep the next one out.
caught=''
interruptible() {
  local name status=0
  set -m
  "$@" </dev/null 7>&- &
  job=$!
  set +m
  for name in INT TERM HUP; do
    # shellcheck disable=SC2064 # the name is meant now
    trap "caught=$name; kill -$name -- -\$job 2>/dev/null || true" "$name"
  done
  wait "$job" || status=$?
  while running -- "-$job"; do
    wait "$job" 2>/dev/null || true
    sleep 0.1
  done
  job=''
  trap - INT TERM HUP
  return "$status"
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

# engine_up NAME: use the engine that DOCKER_HOST names, else a private one, which goes again at the end unless it was there before.
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

# neighbours_lock: the file that those who use the live services on this swarm hold a lock of.
neighbours_lock() {
  printf '/run/lock/redfix-neighbours-%s\n' "$(docker info --format '{{.Swarm.Cluster.ID}}')"
}

# allowed RECIPE: the options of swarm-isolate for what the recipe's runs may do beyond touching their own (`needs` in its
# recipe.json; {base} is the base domain).
allowed() {
  jq -r --arg base "$REDFIX_BASE_DOMAIN" '.needs[]? | "--allow=\(.kind)=\(.value | gsub("\\{base\\}"; $base))"' \
    "$recipes/$1/recipe.json"
}

# images_of RECIPE...: build and load what their recipe.json names.
images_of() {
  local recipe images
  mapfile -t images < <(for recipe; do jq -r '.images[]?' "$recipes/$recipe/recipe.json"; done | sort -u)
  ((${#images[@]} == 0)) || interruptible "$ground/images/build" "${images[@]}" || leave $?
}

# surround RECIPE...: where the recipe.json of one of them says `"neighbours": true`, the live services that stand around
# it are there until the last of us has ended, and nobody may touch them. Who is started from here is surrounded, too.
surround() {
  local recipe wanted=''
  [[ -z ${REDFIX_SURROUNDED-} ]] || return 0
  for recipe; do
    [[ $(jq -r .neighbours "$recipes/$recipe/recipe.json") != true ]] || wanted=1
  done
  [[ -n $wanted ]] || return 0
  undo "exec {among}>&-; '$ground/neighbours/run' return"
  exec {among}>>"$(neighbours_lock)"
  flock -s "$among"
  interruptible "$ground/neighbours/run" borrow || leave $?
  export REDFIX_SURROUNDED=1 REDFIX_PROTECT="${REDFIX_PROTECT-} warm-keycloak_* warm-lasuite-docs_*"
}

# publish REPO FOLDER MESSAGE [TAG]: a commit with exactly what FOLDER holds, on the branch main of REPO in the built-in
# review queue; none where main has that already.
publish() {
  local bare=${REDFIX_FORGE#dir:}/$1.git copy tree parent=() commit
  copy=$(mktemp -d)
  undo "rm -rf '$copy'"
  if [[ ! -d $bare ]]; then
    mkdir -p "$(dirname "$bare")"
    git init -q --bare --initial-branch=main "$bare.part.$$"
    mv -T "$bare.part.$$" "$bare" 2>/dev/null || rm -rf "$bare.part.$$"
  fi
  cp -a "$2/." "$copy"
  local git=(git -C "$copy" --git-dir="$bare" --work-tree="$copy" -c user.name=redfix -c user.email=redfix@localhost)
  "${git[@]}" read-tree --empty
  "${git[@]}" add -A .
  tree=$("${git[@]}" write-tree)
  if commit=$("${git[@]}" rev-parse -q --verify main); then
    [[ $(git --git-dir="$bare" rev-parse "main^{tree}") != "$tree" ]] || return 0
    parent=(-p "$commit")
  fi
  commit=$("${git[@]}" commit-tree "$tree" ${parent[@]+"${parent[@]}"} -m "$3")
  "${git[@]}" update-ref refs/heads/main "$commit"
  [[ -z ${4-} ]] || "${git[@]}" update-ref "refs/tags/$4" "$commit"
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

# lease RECIPE: a domain and a stack for its runs, with room for the longest name in its release under test.
lease() {
  local about=$recipes/$1
  warm-domain-alloc --class run --compose "$about/releases/$(jq -er .version "$about/recipe.json")/compose.yml"
}

# propose RECIPE FIX [OPTION...]: the pull request of that fix, in the repository that it is for, tested by the CI there.
propose() {
  local folder=$recipes/$1/fixes/$2 repo often=()
  repo=$(<"$folder/repo")
  [[ $repo != recipe ]] || repo=$1
  # A queue on disk may be asked often, and what its one CI has said stands.
  [[ $REDFIX_FORGE != dir:* ]] || often=(--poll 100ms --require-context cc-ci/testme)
  pr-open -v --fix "$folder" --repo "$repo" --testme --wait ${often[@]+"${often[@]}"} "${@:3}"
}

# review_ci: the CI behind the built-in queue, beside us until the end.
review_ci() {
  [[ $REDFIX_FORGE == dir:* ]] || return 0
  set -m
  review-ci --forge "${REDFIX_FORGE#dir:}" --follow -- "$scripts/ci-lifecycle" </dev/null >>"$folder/review-ci.log" 2>&1 &
  set +m
  undo "end_group $!"
}

# open_investigation RECIPE: go on with the one that was interrupted, or begin a new one.
open_investigation() {
  local open=$REDFIX_DIR/$1.open
  mkdir -p "$REDFIX_DIR"
  exec 9>"$REDFIX_DIR/$1.lock"
  flock -n 9 || cannot "investigating $1: another investigation of it is running here" "wait for it, or set REDFIX_DIR"
  if [[ -L $open && -s $open/ledger.jsonl ]]; then
    folder=$(readlink -f "$open")
    ((${REDFIX_STEP:-0})) || say "resuming ${folder##*/}: $(wc -l <"$folder/ledger.jsonl") records, $(grep -c '"type":"run.finished"' "$folder/ledger.jsonl" || true) runs"
  else
    folder=$REDFIX_DIR/$(new_id)
    (umask 077 && mkdir "$folder")
    ln -sfnr "$folder" "$open"
  fi
  export REDFIX_INVESTIGATION=${folder##*/} REDFIX_LEDGER=$folder/ledger.jsonl
  undo "warm-domain-alloc release --holder '$REDFIX_INVESTIGATION' </dev/null >/dev/null"
}

# failed RECIPE: the ledger so far, or the failing case of the sweep that starts it.
failed() {
  if [[ -s $REDFIX_LEDGER ]]; then
    cat "$REDFIX_LEDGER"
  else
    case-failed "${SWEEP:-$recipes/$1/sweep.xml}" --recipe "$1"
  fi
}

# What is run next: all that a case still needs; or with REDFIX_STEP, how many runs are on record, one more only (that is
# how scripts/redfix has the recipes take turns), with REDFIX_PLAN the very one in that file.
# shellcheck disable=SC2034 # the recipes' scripts use it
if [[ -n ${REDFIX_STEP-} ]]; then next="next-run $REDFIX_STEP ${REDFIX_PLAN-}"; else next='flake-classify --next'; fi

# Who captures a run's evidence: another CI's runner calls its stack as it likes.
# shellcheck disable=SC2034 # the recipes' scripts use it
if [[ -n ${HARNESS-} ]]; then companion=attach; else companion='log-snap attach'; fi
# What keeps the node busy in loaded runs, and in a sweep.
# shellcheck disable=SC2034 # the recipes' scripts use it
load='load slow 0.5'

# pipeline: the recipe's script says it as two halves: what runs on the swarm, and what follows from the runs.
pipeline() {
  if [[ -n ${REDFIX_STEP-} ]]; then
    experiments >/dev/null
  else
    experiments | conclusions >"$folder/report.txt"
  fi
}

# investigate RECIPE IMAGE...: run `pipeline` as this recipe's investigation, from red to report, on an engine that has
# these images.
investigate() {
  local recipe=$1 status=0
  shift
  need git jq flock python3
  engine_up redfix
  if (($# && ${REDFIX_STEP:-0} == 0)); then interruptible "$ground/images/build" "$@" || leave $?; fi
  surround "$recipe"
  open_investigation "$recipe"
  if [[ -n ${REDFIX_STEP-} ]]; then
    interruptible pipeline || status=$?
    leave "$status"
  fi
  forge "$recipe"
  review_ci
  interruptible pipeline || status=$?
  if [[ -z $caught ]]; then
    rm -f "$REDFIX_DIR/$recipe.open"
    ln -sfnr "$folder" "$REDFIX_DIR/$recipe.last"
    cat "$folder/report.txt"
    redfix-report --format md "$REDFIX_LEDGER" >"$folder/report.md" || true
    say "report: $folder/report.md"
  else
    say "interrupted: the same command goes on from $REDFIX_LEDGER"
  fi
  leave "$status"
}
