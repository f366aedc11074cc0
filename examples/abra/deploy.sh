#!/usr/bin/env bash
# deploy.sh RECIPE: abra deploys the recipe alone on the swarm, under a leased name, and nothing of it is left.
#
# abra wants a terminal (--pty). It speaks to /var/run/docker.sock, where the guard stands during the run: what belongs to
# others is refused. Each run has an ABRA_DIR of its own, for two of them would share one work tree of the recipe. abra ends
# before the deploy has settled; whether that happens is asked of the engine.
set -euo pipefail
: "${1:?RECIPE}" "${REDFIX_BASE_DOMAIN:?}"
export RECIPE=$1 ABRA_HOME=${ABRA_DIR:-$HOME/.abra}
trap 'warm-domain-alloc release --holder "abra-$$" </dev/null >/dev/null' EXIT

# shellcheck disable=SC2016 # the command's own shell expands it
warm-domain-alloc --recipe "$RECIPE" --class run --holder "abra-$$" </dev/null |
  swarm-isolate --pty --wait 8h --recipe "$RECIPE" -- bash -euc '
    mkdir -p "$ABRA_DIR/recipes"
    cp -a "$ABRA_HOME/recipes/$RECIPE" "$ABRA_DIR/recipes/"
    ln -s "$ABRA_HOME/catalogue" "$ABRA_DIR/catalogue"
    abra app new --no-input --chaos --offline --server default --domain "$REDFIX_DOMAIN" "$RECIPE"
    abra app deploy --no-input --chaos --offline --no-converge-checks "$REDFIX_DOMAIN"
    swarm-wait "$REDFIX_STACK" --idle-timeout 5m'
