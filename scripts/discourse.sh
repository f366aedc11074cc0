#!/usr/bin/env bash
# discourse.sh: from a sweep's "time-out" to what it is: a load flake, a stale test, and a defect that no run shows.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

experiments() {
  failed discourse |
    lease discourse |
    swarm-isolate -v --until "case-failed --fill --recipe discourse | $next" --companion "$companion" \
      --load-with "$load" -- lifecycle discourse
}

conclusions() {
  flake-classify |
    propose discourse progress |
    propose discourse overlay --with-tests |
    propose discourse sidekiq --no-verdict |
    redfix-report --recheck
}

need docker-compose
investigate discourse caddy discourse postgres redis
