#!/usr/bin/env bash
# gitea.sh: from the canonical that does not advance to a proven verdict, two pull requests, their verification and trials.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

experiments() {
  failed gitea |
    lease gitea |
    swarm-isolate -v --until "$next" --companion "$companion" --load-with "$load" -- lifecycle gitea
}

conclusions() {
  flake-classify |
    propose gitea writable-ini |
    propose gitea clean-redeploy |
    promote gitea --trial writable-ini --trial clean-redeploy |
    redfix-report --recheck
}

investigate gitea busybox gitea python traefik
