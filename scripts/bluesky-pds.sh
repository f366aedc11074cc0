#!/usr/bin/env bash
# bluesky-pds.sh: from the red warm domain to a proven verdict, two pull requests, their verification and trial promotions.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed bluesky-pds |
    lease bluesky-pds |
    experiment bluesky-pds |
    flake-classify |
    propose bluesky-pds unique-alias leased-domain |
    trial bluesky-pds unique-alias leased-domain |
    redfix-report --recheck
}

investigate bluesky-pds pipe
