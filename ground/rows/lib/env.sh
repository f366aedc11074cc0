# shellcheck shell=bash
# env.sh: the variables of an env file, or of a release's abra.sh. They are read by the grammar of docker's env files, and
# never run: a recipe's file is as foreign as its images.

# not_taken NAME: whether a variable steers the run itself, or the programs that it is made of.
not_taken() {
  case $1 in
    DOCKER_* | REDFIX_* | LD_* | BASH* | PYTHON* | GIT_* | SSH_* | LC_*) return 0 ;;
    PATH | ENV | IFS | HOME | SHELL | SHELLOPTS | PS4 | CDPATH | GLOBIGNORE | TMPDIR | STACK_NAME) return 0 ;;
    UID | EUID | PPID | PWD | OLDPWD | OPTIND | SECONDS | RANDOM | LANG | *[a-z]*) return 0 ;;
    *) return 1 ;;
  esac
}

# read_env FILE: export its variables. A line is NAME=VALUE, with or without `export` before it; a value in single quotes is
# taken as it is, in double quotes \" and \\ are a quote and a backslash, and one without ends before " #".
read_env() {
  local line name value
  while IFS= read -r line || [[ -n $line ]]; do
    [[ ${line%$'\r'} =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
    name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
    if not_taken "$name"; then
      printf '%s: %s is not taken from an env file\n' "$1" "$name" >&2
      continue
    fi
    if [[ $value =~ ^[[:space:]]*\'([^\']*)\' ]]; then
      value=${BASH_REMATCH[1]}
    elif [[ $value =~ ^[[:space:]]*\"((\\.|[^\"\\])*)\" ]]; then
      value=${BASH_REMATCH[1]//\\\"/\"}
      value=${value//\\\\/\\}
    else
      [[ ! $value =~ ^(#|.*[[:space:]]#) ]] || value=${value%%[[:space:]]#*}
      [[ $value != '#'* ]] || value=''
      value=${value#"${value%%[![:space:]]*}"}
      value=${value%"${value##*[![:space:]]}"}
    fi
    printf -v "$name" %s "$value"
    export "${name?}"
  done <"$1"
}
