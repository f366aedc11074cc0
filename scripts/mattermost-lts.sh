#!/usr/bin/env bash
# mattermost-lts.sh: from the sweep's red restore to a proven verdict, a pull request for the recipe and its verification.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed mattermost-lts |
    lease mattermost-lts |
    experiment mattermost-lts |
    flake-classify |
    propose mattermost-lts pg-backup |
    redfix-report --recheck
}

investigate mattermost-lts pipe
