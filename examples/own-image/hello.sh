#!/usr/bin/env bash
# hello.sh: the recipe hello, from red to report, with an image of your own in place of the one that is built here.
# Every image of the proving ground can be replaced like this: IMAGE_<NAME>, as the compose files say.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

export IMAGE_BUSYBOX=${IMAGE_BUSYBOX:-registry.example/busybox:1.36}
export REDFIX_RECIPES=$here/../recipes
exec "$here/../../scripts/investigate" "$@" hello
