#!/bin/sh
# Gets URLs with curl and posts BODY to each. Prints the statuses.
#
# Arguments: the URLs.

for url; do
  shift
  set -- "$@" --output /dev/null "$url"
done
print='%{http_code}\n'
exec curl --disable --silent --show-error --max-time 60 --write-out "$print" "$@" \
  --next --silent --show-error --max-time 60 --write-out "$print" --json "$BODY" "$@"
