#!/usr/bin/env bash
# page.sh [PAGE]: check the HTML report in headless Chromium, in both themes and at phone width: the page loads nothing else,
# logs nothing, its filter and its sorting work, and axe-core finds no serious accessibility fault. Prints totals.

. "$(dirname "$(readlink -f "$0")")/lib.sh"

page=${1-$root/tools/redfix-report/tests/data/report.html}
need node chromium
[[ -d $NODE_PATH/axe-core && -d $NODE_PATH/puppeteer-core ]] || cannot "looking for modules: $NODE_PATH: not there" 'check/fetch test'
exec node "$root/check/page.cjs" "$(readlink -f "$page")" "${E2E_SHOTS-}"
