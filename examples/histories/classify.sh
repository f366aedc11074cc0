#!/usr/bin/env bash
# classify.sh: flake or real, asked of what pytest and cargo-nextest leave behind in each night.
#
# pytest:        pytest --junitxml="$NIGHTS/$(date +%F)/junit.xml"
# cargo-nextest: cargo nextest run --profile ci, with this in .config/nextest.toml:
#                [profile.ci.junit]
#                path = "junit.xml"
#                and then cp target/nextest/ci/junit.xml "$NIGHTS/$(date +%F)/". Its retries count as runs of their own.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

flake-classify --from junit --recipe shop --explain pytest/night-*/
flake-classify --from nextest --recipe shop --explain nextest/night-*/
