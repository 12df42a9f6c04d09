#!/bin/sh
# backup.sh FOLDER: copy the database of the settings to a new file in a folder, and delete copies older than a week.
# feedsvc-backup.service runs it in the directory of the code. PostgreSQL needs Debian's postgresql-client.
set -eu
umask 077
file=$1/feedsvc-$(date +%Y%m%dT%H%M%S)
url=${FEEDSVC_DATABASE_URL:-$(cat "${FEEDSVC_DATABASE_URL_FILE:-/dev/null}")}
case $url in
postgresql*)
    pg_dump --format=custom --file="$file.part" "postgresql${url#postgresql+psycopg}"
    mv "$file.part" "$file.dump" # an incomplete copy does not have this name
    ;;
*) .venv/bin/feedsvc backup "$file.db" ;;
esac
find "$1" -name 'feedsvc-*' -mtime +6 -delete
