# shellcheck shell=bash
# warm.sh: the warm side of a life cycle: the canonical's domain, a release that is advanced in place, volumes that are
# kept as a snapshot. Sourced after harness.sh. A snapshot is taken, and given back, only while nothing is deployed.
: "${name:?harness.sh comes first}"

# canonical_domain RECIPE: where the recipe's warm canonical lives.
canonical_domain() {
  printf 'warm-%s.%s\n' "$1" "${REDFIX_DOMAIN#*.}"
}

# canonical: from here on the app is the recipe's canonical, where the run says `domain=warm`; else it stays where it is.
canonical() {
  [[ ${REDFIX_FACTOR_DOMAIN-} != warm ]] || live_at "$(canonical_domain "$name")"
}

is_warm() { [[ ${REDFIX_FACTOR_PATH:-cold} == warm ]]; }

# live_at DOMAIN: from here on the app has this domain, and the stack that abra makes of it. Whoever captures evidence
# reads both in the evidence folder.
live_at() {
  local stack=${1//./_}
  stack=${stack,,}
  export REDFIX_DOMAIN=$1 DOMAIN=$1 REDFIX_STACK=${stack:0:45} STACK_NAME=${stack:0:45}
  printf '%s %s\n' "$REDFIX_DOMAIN" "$REDFIX_STACK" >"$REDFIX_EVIDENCE/canonical"
}

# advance OLD NEW: the release OLD, deployed and used, becomes NEW in place: volumes, secrets and the versions of configs
# that the app's environment names stay. 1 when it does not settle.
advance() {
  say "advancing $1 to $2"
  deploy_release "$2"
  settled
}

# stand VERSION: deploy it and wait. That it stands, or the last thing that was said instead, is this stage's own test,
# $standing.
standing=test_deploys
stand() {
  local said=$REDFIX_EVIDENCE/deploy.log
  if ! (deploy_release "$1") 2>"$said"; then
    cat "$said" >&2
    result "$standing" "$(grep -v '/lifecycle: ' "$said" | tail -n 1)"
    exit 1
  fi
  if ! settled; then
    result "$standing" "release $1 does not come up: $(why_not)"
    exit 1
  fi
  result "$standing"
}

# stand_warm VERSION: the canonical stands at this release: advanced to it in place from the state that REDFIX_SEED keeps,
# or deployed afresh where there is none.
stand_warm() {
  local old
  if [[ -n ${REDFIX_SEED-} ]]; then
    restore "$REDFIX_SEED"
    old=$(kept version "$REDFIX_SEED")
    [[ $old == "$1" ]] || stand "$old"
  fi
  stand "$1"
}

# rest VERSION: what makes a canonical warm: it is undeployed, its volumes are kept (in REDFIX_SNAPSHOT), and it stands again.
rest() {
  undeploy
  snapshot "${REDFIX_SNAPSHOT:-$REDFIX_SCRATCH/snapshot}" "$1"
  stand "$1"
}

# objects KIND: ids of the stack's objects.
objects() {
  docker "$1" ls --quiet --filter "label=com.docker.stack.namespace=$REDFIX_STACK"
}

# none KIND: the stack has none of them; `task` counts what the manager still knows to be on any node.
none() {
  case $1 in
    task) [[ -z $(docker stack ps --quiet "$REDFIX_STACK" 2>/dev/null) ]] ;;
    container) [[ -z $(docker ps --all --quiet --filter "label=com.docker.stack.namespace=$REDFIX_STACK") ]] ;;
    *) [[ -z $(objects "$1") ]] ;;
  esac
}

# is_undeployed: no service of the stack, and nothing left that could still write to its volumes.
is_undeployed() {
  none service && none task && none container
}

# undeploy: take the stack down as abra does, in the order that gives every address back; volumes stay.
undeploy() {
  local kind
  objects service | xargs -r docker service rm >/dev/null
  until_ready 60 is_undeployed || cannot "undeploying $REDFIX_STACK" 'its containers are still there after 60 s'
  for kind in network config secret; do
    objects "$kind" | xargs -r docker "$kind" rm >/dev/null
    until_ready 30 none "$kind" || cannot "undeploying $REDFIX_STACK" "its ${kind}s are still there after 30 s"
  done
}

# with_volume VOLUME COMMAND...: while a container that never starts has the volume at /volume; {} is its id.
with_volume() {
  local container status=0
  container=$(docker create --name "${REDFIX_STACK}_warm" --label "com.docker.stack.namespace=$REDFIX_STACK" \
    --network none --volume "$1:/volume" "${IMAGE_BUSYBOX:-redfix/busybox:latest}" true) || return
  "${@:2}" "$container" || status=$?
  docker rm "$container" >/dev/null || return
  return "$status"
}

tar_of() { docker cp "$2:/volume" - >"$1"; }
tar_into() { docker cp - "$2:/" <"$1"; }

# snapshot FOLDER VERSION: one tar for each volume of the stack. FOLDER is a link to it that is replaced at once: there is
# always one whole snapshot, the last good one.
snapshot() {
  local volume new old
  is_undeployed || cannot 'taking a snapshot' "$REDFIX_STACK is deployed"
  mkdir -p "$(dirname "$1")"
  old=$(readlink -e "$1" || true)
  new=$(mktemp -d "$1.XXXXXX")
  mkdir "$new/volumes"
  for volume in $(objects volume); do
    with_volume "$volume" tar_of "$new/volumes/${volume#"${REDFIX_STACK}_"}.tar" ||
      cannot 'taking a snapshot' "volume $volume cannot be read"
  done
  (cd "$new" && find volumes -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum) >"$new/sha256"
  printf '{"recipe":"%s","version":"%s","stack":"%s","taken":"%s"}\n' \
    "$name" "$2" "$REDFIX_STACK" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$new/meta.json"
  sync -f "$new"
  ln -sfn "$(basename "$new")" "$new.link"
  mv -T "$new.link" "$1"
  [[ -z $old ]] || rm -rf "$old"
}

# kept KEY SNAPSHOT: what its meta.json says.
kept() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2/meta.json"
}

# restore FOLDER: the stack's volumes are what the snapshot says, and nothing else; also under another stack's name.
restore() {
  local tar volume
  is_undeployed || cannot 'restoring a snapshot' "$REDFIX_STACK is deployed"
  (cd "$1" && sha256sum --check --strict --quiet sha256 >&2) || cannot 'restoring a snapshot' "$1 is damaged"
  objects volume | xargs -r docker volume rm >/dev/null
  for tar in "$1"/volumes/*.tar; do
    [[ -f $tar ]] || continue
    volume=${REDFIX_STACK}_$(basename "$tar" .tar)
    docker volume create --label "com.docker.stack.namespace=$REDFIX_STACK" "$volume" >/dev/null
    with_volume "$volume" tar_into "$tar" || cannot 'restoring a snapshot' "volume $volume cannot be written"
  done
}
