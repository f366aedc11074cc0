# shellcheck shell=bash
# harness.sh: functions for the recipes' `lifecycle` scripts: stages and their JUnit files, the run's report in run.json, and
# a deploy like abra's. A life cycle sources this file, calls `begin`, then its stages. It exits with 0 when all tests
# passed, 1 when a test failed, 2 when it could not run. It never removes its stack: that is the caller's task.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
harness_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
name=$(basename "$here")
# shellcheck source=ground/rows/lib/env.sh
. "$harness_dir/lib/env.sh"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$harness_dir/lib

# cannot DOING CAUSE: report an error that says nothing about the recipe, and exit with 2.
cannot() {
  printf '%s/lifecycle: %s: %s\n' "$name" "$1" "$2" >&2
  exit 2
}

say() {
  printf '%(%H:%M:%S)T %s: %s\n' -1 "$name" "$1" >&2
}

# about KEY: print the value of a key in recipe.json.
about() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$here/recipe.json" "$1"
}

# content_hash FOLDER FILE...: print a hash of the files' names and contents with forty hex digits, as a commit id has.
content_hash() {
  (cd "$1" && sha256sum -- "${@:2}" | sha256sum | cut -c1-40)
}

# files_of FOLDER...: list the files below the folders, without those that no run depends on.
files_of() {
  find "$@" -type f ! -path '*/fixes/*' ! -path '*/releases/*' ! -path '*/pulls/*' ! -name '*.md' ! -name expect.jsonl \
    ! -name last-green.jsonl ! -name sweep.xml ! -name '*.pyc' | LC_ALL=C sort
}

# release_dir VERSION: print the folder with the recipe's files at this release, or at the head of pull request N (pull-N).
# For the release under test, REDFIX_RECIPE_DIR replaces that folder.
release_dir() {
  if [[ $1 == "$release" && -n ${REDFIX_RECIPE_DIR-} ]]; then
    printf '%s\n' "$REDFIX_RECIPE_DIR"
  elif [[ $1 == pull-* ]]; then
    printf '%s\n' "$here/pulls/${1#pull-}"
  else
    printf '%s\n' "$here/releases/$1"
  fi
}

# need PROGRAM[:PACKAGE]...: exit unless the programs are installed.
need() {
  local pair
  for pair; do
    command -v "${pair%%:*}" >/dev/null ||
      cannot 'looking for programs' "${pair%%:*} is missing$([[ $pair != *:* ]] || echo ": Debian has it in the package ${pair##*:}")"
  done
}

# revision FILE: print the path of a test file: the one in the revision that REDFIX_FACTOR_TEST names, if it is there.
revision() {
  local other=$here/revisions/${REDFIX_FACTOR_TEST:-none}/$1
  if [[ -f $other ]]; then printf '%s\n' "$other"; else printf '%s\n' "$here/$1"; fi
}

# test_files: list the files that the hash `tests` in run.json covers: the recipe's test files and the revision in use.
test_files() {
  local revision=$name/revisions/${REDFIX_FACTOR_TEST:-none}
  cd "$harness_dir"
  files_of "$name" | sed -n '/\/revisions\//d; /\/test_[^/]*$/p'
  [[ ! -d $revision ]] || files_of "$revision"
}

# begin: read the environment and set release (the version under test), harness, tests, ref and junit.
begin() {
  local variable files
  for variable in REDFIX_STACK REDFIX_DOMAIN REDFIX_EVIDENCE REDFIX_NODE_ADDR DOCKER_HOST; do
    [[ -n ${!variable-} ]] || cannot 'reading the environment' "$variable is not set"
  done
  need docker:'docker-cli or docker.io' python3:python3 timeout:coreutils
  child=''
  trap 'stopped 143' TERM
  trap 'stopped 130' INT
  release=${REDFIX_FACTOR_VERSION:-${VERSION:-$(about version)}}
  mapfile -t files < <(cd "$harness_dir" && files_of lib "$name")
  harness=$(content_hash "$harness_dir" "${files[@]}")
  mapfile -t files < <(test_files)
  tests=$(content_hash "$harness_dir" "${files[@]}")
  ref=${REF-} ref_kind=tag
  if [[ ! $ref =~ ^[0-9a-f]{40}$ || ${REDFIX_FACTOR_FIX:-none} != none ]]; then
    local tree
    tree=$(release_dir "$release")
    [[ -d $tree ]] || cannot 'reading the release' "$tree is not there"
    mapfile -t files < <(cd "$tree" && find . -type f ! -path './.git/*' | LC_ALL=C sort)
    ref=$(content_hash "$tree" "${files[@]}") ref_kind=tree
    [[ $release != pull-* ]] || ref_kind=pull-request
  fi
  junit=$REDFIX_EVIDENCE/junit run_json=$REDFIX_EVIDENCE/run.json
  mkdir -p "$junit" || cannot 'making the evidence folder' "$junit"
  export STACK_NAME=$REDFIX_STACK DOMAIN=$REDFIX_DOMAIN
}

# left_out: write the stages that this run left out as skipped tests, so that a case about such a stage gets a result.
left_out() {
  local name cases=''
  for name in enrol deploy install backup restore custom upgrade promote; do
    [[ " $reached " == *" $name "* ]] ||
      cases+="<testcase classname=\"\" name=\"$name\"><skipped message=\"left out after $stage\"/></testcase>"
  done
  printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="left out">%s</testsuite></testsuites>\n' \
    "$cases" >"$junit/left-out.xml"
}

# A run that tries a fix goes no further than the stage that its case (RECIPE@VERSION/STAGE/TEST) was red in.
last_stage=''
[[ ${REDFIX_FACTOR_FIX:-none} == none ]] || last_stage=$(cut -d / -f 2 <<<"${REDFIX_CASE-}")

# reach STAGE: say in run.json how far this run has come.
reached=''
reach() {
  if [[ -n $last_stage && ${stage-} == "$last_stage" ]]; then
    left_out
    say "green, the rest is left out"
    exit 0
  fi
  stage=$1 started=$SECONDS reached+="$1 "
  say "$stage"
  printf '{"ref":{"commit":"%s","kind":"%s"},"harness":"%s","tests":"%s","stage":"%s"}\n' \
    "$ref" "$ref_kind" "$harness" "$tests" "$stage" >"$run_json.part"
  mv "$run_json.part" "$run_json"
}

# result TEST [FAILURE]: write the JUnit file of a stage that has no test file. TEST may be the name of the stage.
result() {
  local message=${2-} failure="" class="$stage/test_$stage.py"
  [[ $1 != "$stage" ]] || class=''
  message=${message//&/"&amp;"}
  message=${message//</"&lt;"}
  message=${message//\"/"&quot;"}
  [[ -z $message ]] || failure="<failure message=\"$message\"/>"
  printf '<?xml version="1.0" encoding="UTF-8"?>\n%s%s%s\n' \
    "<testsuites><testsuite name=\"$stage\" tests=\"1\" failures=\"$((${#message} > 0))\">" \
    "<testcase classname=\"$class\" name=\"$1\" time=\"$((SECONDS - started))\">$failure</testcase>" \
    '</testsuite></testsuites>' >"$junit/$stage.xml.part"
  mv "$junit/$stage.xml.part" "$junit/$stage.xml"
}

# run COMMAND...: run the command and wait for it. It is a background job, because bash handles signals only then at once.
run() {
  local status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  child=''
  return "$status"
}

stopped() {
  [[ -z $child ]] || kill -TERM "$child" 2>/dev/null || true
  exit "$1"
}

# check FILE WORD...: run one test file of this stage. Its JUnit file is named after the stage and the test file.
check() {
  local file=$1
  run "$(revision "$file")" "${@:2}" --junit "$junit/$stage-$(basename "$file" .py).xml"
}

# lint VERSION: write the faults of the release's compose files to lint.txt. They do not fail the run: the CI of the recipe's
# own repository checks them.
lint() {
  local status=0
  "$harness_dir/lib/validate" "$(release_dir "$1")" >"$REDFIX_EVIDENCE/lint.txt" 2>&1 || status=$?
  ((status == 0)) || say "lint: $(tail -n 1 "$REDFIX_EVIDENCE/lint.txt")"
}

# merge_env TREE: set the environment for the compose files: first the versions of configs that the release exports in
# abra.sh, then the app's own environment, which overrides them.
merge_env() {
  local file
  for file in "$1/abra.sh" "${app_env-}"; do
    [[ ! -f $file ]] || read_env "$file"
  done
}

# deploy_release VERSION [COMPOSE...]: deploy the release's compose files (default compose.yml) as `abra app deploy` does.
deploy_release() {
  local tree file
  local -a files=()
  tree=$(release_dir "$1")
  for file in "${@:2}"; do files+=(--compose-file "$tree/$file"); done
  ((${#files[@]})) || files=(--compose-file "$tree/compose.yml")
  merge_env "$tree"
  export RECIPE_VERSION=$1
  run docker stack deploy --resolve-image never "${files[@]}" "$REDFIX_STACK" >&2 ||
    cannot "deploying $1" "docker stack deploy failed"
}

# page PORT [PATH]: print the HTTP answer of the node at this port.
page() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&3 && cat <&3' \
    "$REDFIX_NODE_ADDR" "$1" "${2:-/}" 2>/dev/null
}

# task SERVICE: print the ids of the running tasks of the stack's service.
task() {
  docker service ps --filter desired-state=running --format '{{.ID}} {{.CurrentState}}' "${REDFIX_STACK}_$1" |
    sed -n 's/ Running.*//p'
}

# container SERVICE: print the id of a running container of the stack's service on this node, if there is one.
container() {
  docker ps --quiet --filter "label=com.docker.swarm.service.name=${REDFIX_STACK}_$1" --filter status=running | head -n 1
}

# until_ready SECONDS COMMAND...: repeat the command every 0.2 s until it succeeds; fails when the time is over.
until_ready() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.2
  done
}

# settled: wait until the stack has converged; fails when it never will.
settled() {
  run swarm-wait "$REDFIX_STACK" --deadline 2m --stuck-after 30s >>"$REDFIX_EVIDENCE/settled.jsonl"
}

# why_not: print the reason why the last `settled` failed.
why_not() {
  tail -n 1 "$REDFIX_EVIDENCE/settled.jsonl" |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline() or "{}").get("message", "no answer"))'
}

# settle RELEASE COMMAND...: wait until the stack has converged and COMMAND succeeds, and write this stage's result. When that
# does not happen, the life cycle exits with 1.
settle() {
  local cause=''
  if ! settled; then
    cause=$(why_not)
  elif ! until_ready 60 "${@:2}"; then
    cause='it runs, and does not serve'
  fi
  result test_converges "${cause:+release $1 does not come up: $cause}"
  [[ -z $cause ]] || exit 1
}
