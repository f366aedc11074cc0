# shellcheck shell=bash
# harness.sh: what every recipe's `lifecycle` is made of: stages, their JUnit files, the run's report in run.json, a
# deploy like abra's. A life cycle sources it, calls `begin`, then its stages. Exit 0: green, 1: a test is red, 2: could
# not run. It never tears down: whoever started it does.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
harness_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
name=$(basename "$here")
# shellcheck source=ground/rows/lib/env.sh
. "$harness_dir/lib/env.sh"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$harness_dir/lib

# cannot DOING CAUSE: end without a verdict.
cannot() {
  printf '%s/lifecycle: %s: %s\n' "$name" "$1" "$2" >&2
  exit 2
}

say() {
  printf '%(%H:%M:%S)T %s: %s\n' -1 "$name" "$1" >&2
}

# about KEY: a word of recipe.json.
about() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$here/recipe.json" "$1"
}

# content_hash FOLDER FILE...: forty hex digits of names and contents.
content_hash() {
  (cd "$1" && sha256sum -- "${@:2}" | sha256sum | cut -c1-40)
}

# files_of FOLDER...: the files below them, but for what no run depends on.
files_of() {
  find "$@" -type f ! -path '*/fixes/*' ! -path '*/releases/*' ! -path '*/pulls/*' ! -name '*.md' ! -name expect.jsonl \
    ! -name last-green.jsonl ! -name sweep.xml ! -name '*.pyc' | LC_ALL=C sort
}

# release_dir VERSION: what the recipe's repository holds at that release, or at the head of its pull request N (pull-N);
# the tree under test instead of the release that is under test, when REDFIX_RECIPE_DIR names one.
release_dir() {
  if [[ $1 == "$release" && -n ${REDFIX_RECIPE_DIR-} ]]; then
    printf '%s\n' "$REDFIX_RECIPE_DIR"
  elif [[ $1 == pull-* ]]; then
    printf '%s\n' "$here/pulls/${1#pull-}"
  else
    printf '%s\n' "$here/releases/$1"
  fi
}

# need PROGRAM[:PACKAGE]...: end unless they are there.
need() {
  local pair
  for pair; do
    command -v "${pair%%:*}" >/dev/null ||
      cannot 'looking for programs' "${pair%%:*} is missing$([[ $pair != *:* ]] || echo ": Debian has it in the package ${pair##*:}")"
  done
}

# revision FILE: that test file, or the one in its place in the revision of the tests that REDFIX_FACTOR_TEST names.
revision() {
  local other=$here/revisions/${REDFIX_FACTOR_TEST:-none}/$1
  if [[ -f $other ]]; then printf '%s\n' "$other"; else printf '%s\n' "$here/$1"; fi
}

# test_files: what `tests` in run.json is the hash of: the recipe's test files, and the revision that is run.
test_files() {
  local revision=$name/revisions/${REDFIX_FACTOR_TEST:-none}
  cd "$harness_dir"
  files_of "$name" | sed -n '/\/revisions\//d; /\/test_[^/]*$/p'
  [[ ! -d $revision ]] || files_of "$revision"
}

# begin: read the environment; set release (the version under test), harness, tests, ref, junit.
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

# left_out: the stages that this run did not come to are skipped, for who has a case of such a name.
left_out() {
  local name cases=''
  for name in enrol deploy install backup restore custom upgrade promote; do
    [[ " $reached " == *" $name "* ]] ||
      cases+="<testcase classname=\"\" name=\"$name\"><skipped message=\"left out after $stage\"/></testcase>"
  done
  printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="left out">%s</testsuite></testsuites>\n' \
    "$cases" >"$junit/left-out.xml"
}

# reach STAGE: say in run.json how far this run has come. Who wanted to know of REDFIX_LAST_STAGE only knows it then.
reached=''
reach() {
  if [[ -n ${REDFIX_LAST_STAGE-} && ${stage-} == "$REDFIX_LAST_STAGE" ]]; then
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

# result TEST [FAILURE]: the JUnit file of a stage that has no test file of its own; the stage itself may be the test.
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

# run COMMAND...: in the foreground, but a signal reaches it at once.
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

# check FILE WORD...: one test file of this stage; its JUnit is named after the stage and the file.
check() {
  local file=$1
  run "$(revision "$file")" "${@:2}" --junit "$junit/$stage-$(basename "$file" .py).xml"
}

# lint VERSION: what is wrong with the release's compose files, into lint.txt. It decides nothing: that is for the CI of
# the recipe's own repository.
lint() {
  local status=0
  "$harness_dir/lib/validate" "$(release_dir "$1")" >"$REDFIX_EVIDENCE/lint.txt" 2>&1 || status=$?
  ((status == 0)) || say "lint: $(tail -n 1 "$REDFIX_EVIDENCE/lint.txt")"
}

# merge_env TREE: what its compose files are rendered with: the versions of configs that the release exports in abra.sh,
# then the app's own environment, which wins.
merge_env() {
  local file
  for file in "$1/abra.sh" "${app_env-}"; do
    [[ ! -f $file ]] || read_env "$file"
  done
}

# deploy_release VERSION [COMPOSE...]: what `abra app deploy` does with the release's compose files (compose.yml).
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

# page PORT [PATH]: what the node answers there over HTTP.
page() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&3 && cat <&3' \
    "$REDFIX_NODE_ADDR" "$1" "${2:-/}" 2>/dev/null
}

# task SERVICE: the task of the stack's service that runs, if one does.
task() {
  docker service ps --filter desired-state=running --format '{{.ID}} {{.CurrentState}}' "${REDFIX_STACK}_$1" |
    sed -n 's/ Running.*//p'
}

# container SERVICE: the container of the stack's service that runs on this node, if one does.
container() {
  docker ps --quiet --filter "label=com.docker.swarm.service.name=${REDFIX_STACK}_$1" --filter status=running | head -n 1
}

# until_ready SECONDS COMMAND...: ask every 0.2 s; 1 when the time is over.
until_ready() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.2
  done
}

# settled: wait until the stack stands as it was deployed; 1 when it never will.
settled() {
  run swarm-wait "$REDFIX_STACK" --deadline 2m --stuck-after 30s >>"$REDFIX_EVIDENCE/settled.jsonl"
}

# why_not: what that wait said last.
why_not() {
  tail -n 1 "$REDFIX_EVIDENCE/settled.jsonl" |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline() or "{}").get("message", "no answer"))'
}

# settle RELEASE COMMAND...: wait until the stack stands and COMMAND says so, too, and write that as this stage's result; the
# life cycle ends red where it never will.
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
