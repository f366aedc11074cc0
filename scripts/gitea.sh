#!/usr/bin/env bash
# gitea.sh: from the canonical that does not advance to a proven verdict, two pull requests, their verification and trials.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

pipe() {
  failed gitea |
    lease gitea |
    experiment gitea |
    flake-classify |
    propose gitea writable-ini clean-redeploy |
    trial gitea writable-ini clean-redeploy |
    redfix-report --recheck
}

investigate gitea pipe
