# shellcheck shell=bash
# warm.sh: functions for warm canonicals: the canonical's domain, advancing a release in place, and volumes that are
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

# live_at DOMAIN: use this domain from here on, and the stack name that abra derives from it. Both are written to the evidence
# folder for the companion, which captures evidence of the stack.
live_at() {
  local stack=${1//./_}
  stack=${stack,,}
  export REDFIX_DOMAIN=$1 DOMAIN=$1 REDFIX_STACK=${stack:0:45} STACK_NAME=${stack:0:45}
  printf '%s %s\n' "$REDFIX_DOMAIN" "$REDFIX_STACK" >"$REDFIX_EVIDENCE/canonical"
}

# advance OLD NEW: deploy the release NEW over the deployed release OLD. Volumes, secrets and the versions of configs that the
# app's environment names stay. Fails when the stack does not converge.
advance() {
  say "advancing $1 to $2"
  deploy_release "$2"
  settled
}

# stand VERSION: deploy the release and wait until the stack has converged. The result is this stage's test $standing; when
# it fails, its message is the last line of the error.
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

# stand_warm VERSION: deploy the canonical at this release: advance it in place from the snapshot REDFIX_SEED, or deploy it
# afresh when there is no snapshot.
stand_warm() {
  local old
  if [[ -n ${REDFIX_SEED-} ]]; then
    restore "$REDFIX_SEED"
    old=$(kept version "$REDFIX_SEED")
    [[ $old == "$1" ]] || stand "$old"
  fi
  stand "$1"
}

# rest VERSION: undeploy the canonical, keep its volumes (in REDFIX_SNAPSHOT), and deploy it again. That makes it warm.
rest() {
  undeploy
  snapshot "${REDFIX_SNAPSHOT:-$REDFIX_SCRATCH/snapshot}" "$1"
  stand "$1"
}

# objects KIND: print the ids of the stack's objects of this kind.
objects() {
  docker "$1" ls --quiet --filter "label=com.docker.stack.namespace=$REDFIX_STACK"
}

# none KIND: whether the stack has no object of this kind. `task` covers the tasks on all nodes.
none() {
  case $1 in
    task) [[ -z $(docker stack ps --quiet "$REDFIX_STACK" 2>/dev/null) ]] ;;
    container) [[ -z $(docker ps --all --quiet --filter "label=com.docker.stack.namespace=$REDFIX_STACK") ]] ;;
    *) [[ -z $(objects "$1") ]] ;;
  esac
}

# is_undeployed: the stack has no service, and no task or container that could still write to its volumes.
is_undeployed() {
  none service && none task && none container
}

# undeploy: remove the stack as abra does; volumes stay. Services go first, because a network gives its addresses back only
# when no container uses it.
undeploy() {
  local kind
  objects service | xargs -r docker service rm >/dev/null
  until_ready 60 is_undeployed || cannot "undeploying $REDFIX_STACK" 'its containers are still there after 60 s'
  for kind in network config secret; do
    objects "$kind" | xargs -r docker "$kind" rm >/dev/null
    until_ready 30 none "$kind" || cannot "undeploying $REDFIX_STACK" "its ${kind}s are still there after 30 s"
  done
}

# with_volume VOLUME COMMAND...: run COMMAND with the id of a container as last argument. The container is never started; it
# has the volume at /volume, so that `docker cp` can read and write the volume.
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

# snapshot FOLDER VERSION: write a tar of each volume of the stack. FOLDER is a link that is replaced in one step when the
# snapshot is complete, so that the last good snapshot is always there.
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

# kept KEY SNAPSHOT: print the value of a key in the snapshot's meta.json.
kept() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2/meta.json"
}

# restore FOLDER: replace the stack's volumes by those of the snapshot, which may come from a stack of another name.
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
