#!/usr/bin/env bash
# redact.sh: how much of what is secret the redactor hides, how much of what is not it changes, on two corpora of our
# own (lib-common/tests/data/redact), and how fast it is on one core.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

figures=$("$(example lib-common redact_figures)")
figure() { jq -r ".$1" <<<"$figures"; }

row "secrets hidden, of $(figure secret_lines) lines" '-' "$(figure hidden)" - % '>= 99.5'
row "harmless lines changed, of $(figure harmless_lines)" '-' "$(figure changed)" - % '<= 0.5'
speed=$(example log-snap redact_speed)
row 'redaction of ordinary log text on one core' '-' "$("$speed")" - MiB/s '>= 250'
