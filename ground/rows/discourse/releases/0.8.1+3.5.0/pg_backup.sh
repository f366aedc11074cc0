#!/bin/bash
# pg_backup.sh backup|restore: the database as one file in its volume, and back; the backup bot's hooks call it.
set -euo pipefail

dump=/var/lib/postgresql/data/backup.sql
case ${1-} in
  backup) pg_dump --username="$POSTGRES_USER" --clean --if-exists "$POSTGRES_DB" --file="$dump" ;;
  restore)
    psql --username="$POSTGRES_USER" --quiet --single-transaction --set=ON_ERROR_STOP=1 --file="$dump" "$POSTGRES_DB"
    rm "$dump"
    ;;
  *)
    echo 'usage: pg_backup.sh backup|restore' >&2
    exit 2
    ;;
esac
