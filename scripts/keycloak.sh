#!/usr/bin/env bash
# keycloak.sh: from a canonical that would take a live service's name to a proven verdict, a pull request and its trial.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed keycloak |
    lease keycloak |
    experiment keycloak |
    flake-classify |
    propose keycloak leased-domain |
    trial keycloak leased-domain |
    redfix-report --recheck
}

investigate keycloak pipe
