#!/bin/sh
# Fills in the template from the environment and becomes nginx.
set -eu

mkdir -p "$EDGE_RUN"
# Only our own variables: nginx has variables, too.
places=$(env | sed -n 's/^\(EDGE_[A-Z_]*\)=.*/${\1}/p')
envsubst "$places" < "$EDGE_FILES/nginx.conf.template" > "$EDGE_RUN/nginx.conf"
exec nginx -e stderr -p "$EDGE_RUN" -c "$EDGE_RUN/nginx.conf" -g 'daemon off;'
