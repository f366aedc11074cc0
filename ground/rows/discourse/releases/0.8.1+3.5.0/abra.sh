# shellcheck shell=bash
# The versions of this release's configs: raised with every change of their files.
export PG_BACKUP_VERSION=v1
