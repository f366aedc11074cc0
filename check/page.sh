#!/usr/bin/env bash
# page.sh [PAGE]: check the HTML report in real headless Chromium: nothing loaded, nothing logged, filter and sort work,
# axe-core finds nothing serious, in both themes and at phone width. Prints totals.

. "$(dirname "$(readlink -f "$0")")/lib.sh"

page=${1-$root/tools/redfix-report/tests/data/report.html}
need node chromium
[[ -d $NODE_PATH/axe-core && -d $NODE_PATH/puppeteer-core ]] || cannot "looking for modules: $NODE_PATH: not there" 'scripts/fetch test'
exec node "$root/check/page.cjs" "$(readlink -f "$page")" "${E2E_SHOTS-}"
