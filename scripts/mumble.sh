#!/usr/bin/env bash
# mumble.sh: from the sweep's red handshake test to a proven verdict, a pull request and its verification.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed mumble |
    lease mumble |
    experiment mumble |
    flake-classify |
    propose mumble readiness |
    redfix-report --recheck
}

investigate mumble pipe
