#!/usr/bin/env bash
# mumble.sh: from the sweep's red handshake test to a proven verdict, a pull request and its verification.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

experiments() {
  failed mumble |
    lease mumble |
    swarm-isolate -v --until "$next" --companion "$companion" --load-with "$load" -- lifecycle mumble
}

conclusions() {
  flake-classify |
    propose mumble readiness |
    redfix-report --recheck
}

investigate mumble busybox murmurd
