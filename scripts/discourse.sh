#!/usr/bin/env bash
# discourse.sh: from a sweep's "time-out" to what it is: a load flake, a stale test, and a defect that no run shows.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed discourse |
    lease discourse |
    experiment discourse |
    flake-classify |
    propose discourse progress overlay sidekiq |
    redfix-report --recheck
}

need docker-compose
investigate discourse pipe
