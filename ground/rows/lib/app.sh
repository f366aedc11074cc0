# shellcheck shell=bash
# app.sh: functions that make an app's environment and secrets, as abra does. Sourced after harness.sh.
: "${name:?harness.sh comes first}"

# new_app RELEASE: like `abra app new`: make the app's environment from the release's .env.sample, and generate its secrets.
# The environment stays the same when another release is deployed later.
new_app() {
  app_env=$REDFIX_EVIDENCE/app.env
  sed "s/^DOMAIN=.*/DOMAIN=$REDFIX_DOMAIN/" "$(release_dir "$1")/.env.sample" >"$app_env"
  generate_secrets "$1"
}

# generate_secrets RELEASE: like `abra app secret generate --all`: create the secrets that the release's .env.sample names,
# unless they exist.
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
