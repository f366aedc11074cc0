# shellcheck shell=bash
# doctor.sh: every setting, looked at before a night is spent on it: what is missing, what is wrong, what to do.
# shellcheck disable=SC2154 # set by redfix and lib.sh

ok() { printf 'ok       %-20s %s\n' "$1" "${2-}"; }
bad=0
# fault missing|wrong NAME WHAT HINT
fault() {
  printf '%-8s %-20s %s\n%-30s%s\n' "$1" "$2" "$3" '' "hint: $4"
  bad=$((bad + 1))
}

# value_fault KIND VALUE: what is wrong with it; nothing where it is as it must be.
value_fault() {
  case $1 in
    time) [[ $2 =~ ^([0-9]+(ms|s|m|h|d)?)+$ ]] || echo 'no time such as 30s, 5m or 1h30m' ;;
    size) [[ $2 =~ ^[0-9]+([KMGT]iB)?$ ]] || echo 'no size such as 4096 or 16MiB' ;;
    count) [[ $2 =~ ^[0-9]+$ ]] || echo 'no whole number' ;;
    share) [[ $2 =~ ^[0-9]*\.?[0-9]+$ ]] || echo 'no share such as 0.35' ;;
    percent) [[ $2 =~ ^[0-9]*\.?[0-9]+$ ]] || echo 'no percentage' ;;
    switch) [[ $2 == true || $2 == false ]] || echo 'neither true nor false' ;;
    file) [[ -f $2 && -r $2 ]] || echo 'no file that can be read' ;;
    folder) [[ -d $2 ]] || echo 'no such folder' ;;
    place) is_place "$2" || echo 'cannot be made or written' ;;
    pattern) python3 -c 'import re, sys; re.compile(sys.argv[1])' "$2" 2>/dev/null || echo 'no regular expression' ;;
    command) command -v "${2%% *}" >/dev/null || echo "${2%% *} is not found" ;;
    run) echo 'belongs to one run, not to the settings' ;;
  esac
}

# is_place FILE: it, or the nearest folder above it that is there, can be written.
is_place() {
  local at=$1
  until [[ -e $at ]]; do at=$(dirname "$at"); done
  [[ -w $at ]]
}

# plain_settings: those of the table that are set; and what is set and no page knows.
plain_settings() {
  local name kind why known=' '
  while read -r name kind; do
    [[ $name == REDFIX_* ]] || continue
    known+="$name "
    [[ -n ${!name-} && $kind != own ]] || continue
    why=$(value_fault "$kind" "${!name}")
    if [[ -n $why ]]; then fault wrong "$name" "${!name}: $why" "see the pages: man/redfix.7"; else ok "$name" "${!name}"; fi
  done <"$scripts/redfix.d/settings"
  for name in $(compgen -e REDFIX_ || true); do
    [[ $known == *" $name "* || $name == REDFIX_FACTOR_* ]] ||
      fault wrong "$name" "no tool and no script knows it" "is it misspelt? grep REDFIX_ scripts/redfix.d/settings"
  done
}

programs() {
  local program lost=()
  for program in docker docker-compose git jq flock setpriv python3 timeout warm-domain-alloc swarm-guard swarm-isolate swarm-wait log-snap flake-classify pr-open redfix-report; do
    command -v "$program" >/dev/null || lost+=("$program")
  done
  if ((${#lost[@]})); then
    fault missing programs "${lost[*]}" "make build; scripts/fetch run; or set REDFIX_BIN"
  else
    ok programs "the tools, docker, git, jq, ..."
  fi
}

engine_is_there() {
  local answer
  if answer=$(timeout 10 docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null) && [[ $answer == true ]]; then
    ok engine "${DOCKER_HOST:-as the docker client finds it}: a swarm manager"
    return 0
  fi
  fault missing engine "${DOCKER_HOST:-of the docker client}: no swarm manager answers" "DOCKER_HOST; or scripts/engine up"
  return 1
}

base_domain() {
  if [[ $REDFIX_BASE_DOMAIN == ci.example ]]; then
    fault missing REDFIX_BASE_DOMAIN "the domain that runs get names below; ci.example is a place-holder" \
      "the one that your wildcard certificate covers"
  elif [[ ! $REDFIX_BASE_DOMAIN =~ ^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]+$ ]]; then
    fault wrong REDFIX_BASE_DOMAIN "$REDFIX_BASE_DOMAIN: no domain" "lower case, with a dot"
  else
    ok REDFIX_BASE_DOMAIN "$REDFIX_BASE_DOMAIN"
  fi
}

# protected: each name is a service that is there, so that a typing error protects nobody by silence.
protected() {
  local pattern service found
  if [[ -z ${REDFIX_PROTECT-} ]]; then
    fault missing REDFIX_PROTECT "what no run may ever touch: your live services" "such as 'traefik_* warm-keycloak_*'"
    return
  fi
  ((engine)) || { ok REDFIX_PROTECT "$REDFIX_PROTECT (not compared: no engine)" && return; }
  set -f
  for pattern in ${REDFIX_PROTECT//,/ }; do
    found=0
    [[ $pattern != label=* ]] || found=$(docker service ls -q --filter "$pattern" | wc -l)
    # shellcheck disable=SC2053 # it is a pattern
    while read -r service; do [[ $service != $pattern ]] || found=$((found + 1)); done < <(docker service ls --format '{{.Name}}')
    if ((found)); then ok REDFIX_PROTECT "$pattern: $found services"; else
      fault wrong REDFIX_PROTECT "$pattern: no service is named so" "docker service ls"
    fi
  done
  set +f
}

slots() {
  local there=0
  ((engine == 0)) || there=$(swarm-isolate slots 2>/dev/null | grep -c slot.seen || true)
  if [[ ! ${REDFIX_SLOTS:-3} =~ ^[1-9][0-9]*$ ]]; then
    fault wrong REDFIX_SLOTS "$REDFIX_SLOTS: no whole number" "2 or 3"
  elif ((there > 0 && there != ${REDFIX_SLOTS:-$there})); then
    fault wrong REDFIX_SLOTS "$REDFIX_SLOTS, and the swarm has $there" "swarm-isolate slots --resize N"
  else
    ok REDFIX_SLOTS "${REDFIX_SLOTS:-not set: ${there/#0/3}}"
  fi
}

forge_and_owner() {
  local forge=${REDFIX_FORGE-} host
  case $forge in
    '') fault missing REDFIX_FORGE "where pull requests are opened" "https://your.forge, or dir:PATH for the built-in queue" ;;
    dir:*) if is_place "${forge#dir:}"; then ok REDFIX_FORGE "$forge"; else
      fault wrong REDFIX_FORGE "$forge: cannot be made or written" "a folder of yours"
    fi ;;
    http://* | https://*)
      host=${forge#*://} host=${host%%/*}
      # shellcheck disable=SC2016 # expanded by the inner shell
      if timeout 10 bash -c 'exec 3<>"/dev/tcp/${0%:*}/$1"' "$host" "$(port_of "$forge")" 2>/dev/null; then
        ok REDFIX_FORGE "$forge answers"
      else fault wrong REDFIX_FORGE "$forge: does not answer" "is it up, is its name known here?"; fi
      token
      ;;
    *) fault wrong REDFIX_FORGE "$forge: neither https://HOST nor dir:PATH" "pr-open(1), FILES" ;;
  esac
  if [[ ${REDFIX_OWNER-} =~ ^[A-Za-z0-9_-][A-Za-z0-9._-]*$ ]]; then ok REDFIX_OWNER "$REDFIX_OWNER"; else
    fault "$([[ -n ${REDFIX_OWNER-} ]] && echo wrong || echo missing)" REDFIX_OWNER "${REDFIX_OWNER:-who owns the mirrors}" "such as recipe-maintainers"
  fi
}

port_of() {
  local host=${1#*://}
  host=${host%%/*}
  if [[ $host == *:* ]]; then echo "${host##*:}"; elif [[ $1 == https:* ]]; then echo 443; else echo 80; fi
}

token() {
  local file=${REDFIX_TOKEN_FILE-} mode
  if [[ -z $file ]]; then
    fault missing REDFIX_TOKEN_FILE "the forge's access token" "a file with mode 600, scope write:repository and write:issue"
  elif [[ ! -s $file || ! -r $file ]]; then
    fault wrong REDFIX_TOKEN_FILE "$file: not there, not readable or empty" "write the token into it, mode 600"
  else
    mode=$(stat -c %a "$file")
    if [[ $mode == *00 ]]; then ok REDFIX_TOKEN_FILE "$file"; else
      fault wrong REDFIX_TOKEN_FILE "$file: others may read it (mode $mode)" "chmod 600 $file"
    fi
  fi
}

author() {
  local form='^[^<>]+ <[^<>@ ]+@[^<>@ ]+>$'
  if [[ -z ${REDFIX_AUTHOR-} ]]; then
    fault missing REDFIX_AUTHOR "who commits the fixes" "'NAME <MAIL>'"
  elif [[ ! $REDFIX_AUTHOR =~ $form ]]; then
    fault wrong REDFIX_AUTHOR "$REDFIX_AUTHOR: not NAME <MAIL>" "with both"
  else ok REDFIX_AUTHOR "$REDFIX_AUTHOR"; fi
}

harness() {
  local folder=${REDFIX_HARNESS:-$recipes}
  if [[ -n ${HARNESS-} ]]; then
    if command -v "${HARNESS%% *}" >/dev/null; then ok HARNESS "$HARNESS"; else
      fault wrong HARNESS "${HARNESS%% *}: not found" "a command; see lifecycle --help"
    fi
  elif compgen -G "$folder/*/lifecycle" >/dev/null; then
    ok REDFIX_HARNESS "$folder"
  else
    fault wrong REDFIX_HARNESS "$folder: no RECIPE/lifecycle in it" "a folder like ground/rows, or HARNESS=CMD"
  fi
}

places() {
  local free at=$REDFIX_DIR
  if ! is_place "$REDFIX_DIR"; then
    fault wrong REDFIX_DIR "$REDFIX_DIR: cannot be made or written" "a folder for ledgers and evidence"
  else
    until [[ -e $at ]]; do at=$(dirname "$at"); done
    free=$(df --output=avail -B1048576 "$at" | tail -n 1)
    if ((free < 2048)); then fault wrong REDFIX_DIR "$REDFIX_DIR: only $((free)) MiB are free" "runs want 2 GiB (REDFIX_MIN_FREE)"; else
      ok REDFIX_DIR "$REDFIX_DIR"
    fi
  fi
  [[ -z ${REDFIX_REPO_DIR-} ]] || if git -C "$REDFIX_REPO_DIR" rev-parse --git-dir >/dev/null 2>&1; then
    ok REDFIX_REPO_DIR "$REDFIX_REPO_DIR"
  else
    fault wrong REDFIX_REPO_DIR "$REDFIX_REPO_DIR: no git repository" "a clone that pr-open may read"
  fi
}

# lists: what only the forge can judge; here at least its form.
lists() {
  local name
  for name in REDFIX_LABELS REDFIX_REVIEWERS; do
    if [[ -z ${!name-} ]]; then continue; elif [[ ${!name} =~ ^[^,\ ][^,]*(,[^,\ ][^,]*)*$ ]]; then
      ok "$name" "${!name} (the forge has the last word: pr-open --strict)"
    else fault wrong "$name" "${!name}: no list" "words with commas between them"; fi
  done
  for name in ${REDFIX_NODES-}; do
    if [[ $name == *=*://* ]]; then ok REDFIX_NODES "$name"; else fault wrong REDFIX_NODES "$name: not NAME=URL" "n2=tcp://10.0.0.2:2375"; fi
  done
  [[ -z ${REDFIX_SPACING-} ]] || fault wrong REDFIX_SPACING \
    "$REDFIX_SPACING: swarm-isolate would wait so long before every run, too" "leave it: verdicts want 10 minutes by themselves"
}

redfix_doctor() {
  local engine=0
  [[ ${settings:-} == /dev/null ]] || if [[ -r $settings ]]; then ok settings "$settings"; else
    ok settings "$settings is not there: the environment alone counts"
  fi
  programs
  ! engine_is_there || engine=1
  base_domain
  protected
  slots
  forge_and_owner
  author
  harness
  places
  lists
  plain_settings
  if ((bad)); then printf '%d to be mended\n' "$bad"; else echo 'all is well'; fi
  leave $((bad > 0))
}
