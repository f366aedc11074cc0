# shellcheck shell=bash
# How engine speaks: phases when somebody looks, errors always.

VERBOSE=''

# phase TEXT: one line about what is being done, on a terminal or with -v.
phase() {
  case $VERBOSE in
    1) ;;
    0) return 0 ;;
    *) [[ -t 2 ]] || return 0 ;;
  esac
  printf 'engine: %s\n' "$1" >&2
}

# say TEXT: what a person must hear, unless they asked for errors only.
say() {
  [[ $VERBOSE == 0 ]] || printf 'engine: %s\n' "$1" >&2
}

# complain MESSAGE [HINT...]: an error, its hints on lines of their own.
complain() {
  printf 'engine: %s\n' "$1" >&2
  shift
  local hint
  for hint in "$@"; do printf '  hint: %s\n' "$hint" >&2; done
}

# die CODE MESSAGE [HINT...]: complain and end.
die() {
  complain "${@:2}"
  exit "$1"
}
