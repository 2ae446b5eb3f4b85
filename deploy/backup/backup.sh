#!/bin/sh
# Copies what an instance keeps, also while it runs: backup.sh /var/lib/tonewall/main /backup/2026-12-01
# Databases by SQLite's own backup, which is whole at every moment; the rest are files that only grow. The journal comes
# last: it may have a charge that the table of payments lacks, and never the other way.
set -eu
from=$1 to=$2
umask 077
mkdir -p "$to"
[ -z "$(ls -A "$to")" ] || { echo "backup: $to is not empty" >&2; exit 2; }
for database in "$from"/*.sqlite; do
    [ ! -e "$database" ] || sqlite3 "file:$database?mode=ro" ".timeout 10000" ".backup '$to/$(basename "$database")'"
done
for each in "$from"/*; do
    case $(basename "$each") in
    *.sqlite | *.sqlite-wal | *.sqlite-shm | journal.jsonl) ;;
    *) cp -a "$each" "$to/" ;;
    esac
done
[ ! -e "$from/journal.jsonl" ] || cp -a "$from/journal.jsonl" "$to/"
chown --reference="$from" "$to"/*.sqlite 2>/dev/null || true
