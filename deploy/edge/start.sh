#!/bin/sh
# Fills in the template from the environment and becomes nginx.
set -eu

mkdir -p "$EDGE_RUN"
# Container engines give a container's user its standard streams. Elsewhere they may be another
# user's, which lets us write to what is open, but open nothing.
if ! (: >> "$EDGE_LOG") 2>/dev/null; then
    EDGE_LOG=$EDGE_RUN/log
    rm -f "$EDGE_LOG"
    mkfifo -m 600 "$EDGE_LOG"
    cat "$EDGE_LOG" &
fi
# Only our own variables: nginx has variables, too.
places=$(env | sed -n 's/^\(EDGE_[A-Z_]*\)=.*/${\1}/p')
envsubst "$places" < "$EDGE_FILES/nginx.conf.template" > "$EDGE_RUN/nginx.conf"
exec nginx -e stderr -p "$EDGE_RUN" -c "$EDGE_RUN/nginx.conf" -g 'daemon off;'
