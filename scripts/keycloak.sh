#!/usr/bin/env bash
# keycloak.sh: from a canonical that would take a live service's name to a proven verdict, a pull request and its trial.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

experiments() {
  failed keycloak |
    lease keycloak |
    swarm-isolate -v --until "$next" --companion "$companion" --load-with "$load" -- lifecycle keycloak
}

conclusions() {
  flake-classify |
    propose keycloak leased-domain |
    promote keycloak --trial leased-domain |
    redfix-report --recheck
}

investigate keycloak busybox python traefik
