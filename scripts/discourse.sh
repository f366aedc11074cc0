#!/usr/bin/env bash
# discourse.sh: from a sweep's "time-out" to what it is: a load flake, a stale test, and a defect that no run shows.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipeline() {
  failed discourse |
    lease discourse |
    swarm-isolate -v --until 'flake-classify --next' --companion 'log-snap attach' \
      --load-with 'load cpu 10' -- lifecycle discourse |
    flake-classify |
    propose discourse progress |
    propose discourse overlay --with-tests |
    propose discourse sidekiq --no-verdict |
    redfix-report --recheck >"$folder/report.txt"
}

need docker-compose
investigate discourse caddy discourse postgres redis
