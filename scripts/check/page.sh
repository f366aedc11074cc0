#!/usr/bin/env bash
# page.sh [PAGE]: check the HTML report in real headless Chromium: nothing loaded, nothing logged, filter and sort work,
# axe-core finds nothing serious, in both themes and at phone width. Prints totals.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
cache=${REDFIX_CACHE:-/var/cache/redfix}/page
page=${1-$root/tools/redfix-report/tests/data/report.html}

"$root/scripts/check/packages.sh" page
if [[ ! -d $cache/node_modules/axe-core || ! -d $cache/node_modules/puppeteer-core ]]; then
  mkdir -p "$cache"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache" axe-core@4.14.1 puppeteer-core@24.31.0 >&2
fi
NODE_PATH=$cache/node_modules exec node "$root/scripts/check/page.cjs" "$(readlink -f "$page")" "${REDFIX_SHOTS-}"
