#!/usr/bin/env bash
# bluesky-pds.sh: from the red warm domain to a proven verdict, two pull requests, their verification and trial promotions.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mapfile -t allowed < <(allowed bluesky-pds)

experiments() {
  failed bluesky-pds |
    lease bluesky-pds |
    swarm-isolate -v --until "$next" --companion witness "${allowed[@]}" --load-with "$load" -- lifecycle bluesky-pds
}

conclusions() {
  flake-classify |
    propose bluesky-pds unique-alias |
    propose bluesky-pds leased-domain |
    promote bluesky-pds --trial unique-alias --trial leased-domain |
    redfix-report --recheck
}

investigate bluesky-pds busybox caddy python traefik
