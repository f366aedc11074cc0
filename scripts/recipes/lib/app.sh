# shellcheck shell=bash
# app.sh: what abra keeps for an app beside its stack: its environment and its secrets. Sourced after harness.sh.
: "${name:?harness.sh comes first}"

# new_app RELEASE: `abra app new`: the release's .env.sample becomes the app's environment, and stays it whatever release
# is deployed later; its secrets are generated.
new_app() {
  app_env=$REDFIX_EVIDENCE/app.env
  sed "s/^DOMAIN=.*/DOMAIN=$REDFIX_DOMAIN/" "$(release_dir "$1")/.env.sample" >"$app_env"
  generate_secrets "$1"
}

# generate_secrets RELEASE: `abra app secret generate --all`: of those that its .env.sample names, whichever are not there.
generate_secrets() {
  local line variable version length secret
  while read -r line; do
    [[ $line =~ ^SECRET_([A-Z0-9_]+)_VERSION=([a-z0-9]+)(.*#.*length=([0-9]+))? ]] || continue
    variable=${BASH_REMATCH[1]} version=${BASH_REMATCH[2]} length=${BASH_REMATCH[4]:-32}
    secret=${REDFIX_STACK}_${variable,,}_$version
    ! docker secret inspect "$secret" >/dev/null 2>&1 || continue
    head -c 256 /dev/urandom | base64 -w 0 | tr -d '+/=' | head -c "$length" | docker secret create "$secret" - >/dev/null ||
      cannot 'generating a secret' "$secret"
  done <"$(release_dir "$1")/.env.sample"
}

# converge RELEASE COMMAND...: wait until the stack stands as it was deployed and COMMAND says so, too, and write the result
# of this stage; the life cycle ends red where it never will.
converge() {
  local release=$1
  if ! stands "${@:2}"; then
    result test_converges "release $release does not come up: $(why_not)"
    exit 1
  fi
  result test_converges
}

# stands COMMAND...: the same, as an answer: 0, or 1 when it will not.
stands() {
  run swarm-isolate wait "$REDFIX_STACK" --deadline 3m --stuck-after 30s >>"$REDFIX_EVIDENCE/settled.jsonl" &&
    until_ready 60 "$@"
}

# why_not: what swarm-isolate said last.
why_not() {
  tail -n 1 "$REDFIX_EVIDENCE/settled.jsonl" 2>/dev/null |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline() or "{}").get("message", "no answer"))'
}
