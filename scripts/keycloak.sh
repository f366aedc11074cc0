#!/usr/bin/env bash
# keycloak.sh: from a canonical that would take a live service's name to a proven verdict, a pull request and its trial.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

around() { among_neighbours; }

pipeline() {
  failed keycloak |
    lease keycloak |
    swarm-isolate -v --until 'flake-classify --next' --companion 'log-snap attach' --load-with 'load cpu 10' -- \
      lifecycle keycloak |
    flake-classify |
    propose keycloak leased-domain |
    promote keycloak --trial leased-domain |
    redfix-report --recheck >"$folder/report.txt"
}

investigate keycloak busybox python traefik
