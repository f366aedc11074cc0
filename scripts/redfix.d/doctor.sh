# shellcheck shell=bash
# doctor.sh: every setting before a night is spent on it: each tool checks its own, here is what belongs to the scripts.
# shellcheck disable=SC2154 # set by redfix and lib.sh

tools=(warm-domain-alloc swarm-guard swarm-isolate swarm-wait log-snap flake-classify pr-open redfix-report)

# finding ok|missing|wrong NAME VALUE [HINT]: a line as the tools print it.
finding() { printf '%-8s %-26s %s\n' "${@:1:3}" && [[ -z ${4-} ]] || printf '%-36shint: %s\n' '' "$4"; }

programs() {
  local program lost=()
  for program in docker docker-compose git jq flock setpriv python3 timeout "${tools[@]}"; do
    command -v "$program" >/dev/null || lost+=("$program")
  done
  if ((${#lost[@]} == 0)); then finding ok programs "the tools, docker, git, jq, ..."; else
    finding missing programs "${lost[*]}" "make build; scripts/fetch run; or set REDFIX_BIN"
  fi
}

# names: what is set and is no setting.
names() {
  local name
  for name in $(compgen -e REDFIX_ || true); do
    grep -q "^$name " "$scripts/redfix.d/settings" ||
      finding wrong "$name" "no setting has this name" "is it misspelt? redfix.d/settings lists all of them"
  done
}

harness() {
  if [[ -n ${HARNESS-} ]]; then
    if command -v "${HARNESS%% *}" >/dev/null; then finding ok HARNESS "$HARNESS"; else
      finding wrong HARNESS "${HARNESS%% *}: not found" "a command; see lifecycle --help"
    fi
  elif compgen -G "$recipes/*/lifecycle" >/dev/null; then finding ok REDFIX_RECIPES "$recipes"; else
    finding wrong REDFIX_RECIPES "$recipes: no RECIPE/lifecycle in it" "a folder like ground/rows, or HARNESS=CMD"
  fi
}

state() {
  local at=$REDFIX_DIR
  until [[ -e $at ]]; do at=$(dirname "$at"); done
  if [[ ! -d $at || ! -w $at ]]; then finding wrong REDFIX_DIR "$REDFIX_DIR: cannot be made or written" "a folder for ledgers"; else
    finding ok REDFIX_DIR "$REDFIX_DIR"
  fi
}

redfix_doctor() {
  local tool status options found bad
  [[ $settings == /dev/null || -r $settings ]] || settings+=" is not there: the environment alone counts"
  # Several tools say the same of the engine.
  found=$({
    finding ok settings "$settings" && programs && names && harness && state
    for tool in "${tools[@]}"; do
      status=0 options=()
      [[ $tool != swarm-isolate ]] || options=(--evidence "$REDFIX_DIR")
      "$tool" --self-check ${options[@]+"${options[@]}"} </dev/null 2>&1 || status=$?
      ((status <= 1)) || finding wrong "$tool" "its --self-check ended with exit $status" "see above"
    done
  } | awk '/^[a-z]/ { new = !said[$0]++ } new')
  printf '%s\n' "$found"
  bad=$(grep -cE '^(missing|wrong) ' <<<"$found" || true)
  if ((bad)); then echo "$bad to be mended"; else echo 'all is well'; fi
  leave $((bad > 0))
}
