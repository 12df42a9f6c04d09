#!/bin/sh
# Tell the operator what is wrong with feedsvc, once, and when all is well again. feedsvc-alarm.timer runs this every
# five minutes; without systemd, cron does. /etc/feedsvc-alarm.env has other values than these:
URL=${URL:-http://localhost:8000}                  # with https, the certificate must be valid for two more weeks
BACKUPS=${BACKUPS:-/var/lib/feedsvc-backup}        # the newest one must be younger than two hours
DATA=${DATA:-/var/lib}                             # a tenth of its file system must be free
TELL=${TELL:-cat}                                  # reads the message: mail -s feedsvc you@example
STATE=${STATE:-/var/lib/feedsvc/alarm}             # has the last message

host=$(printf %s "$URL" | sed -nE 's#^https://([^/:]+).*#\1#p')
problems=$(
    # Not curl's messages: they have milliseconds, so that each would be told.
    status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$URL/readyz")
    [ "$status" = 200 ] || echo "$URL/readyz: status $status (000: no answer)."
    if [ "$host" ] && ! timeout 10 openssl s_client -connect "$host:443" -servername "$host" </dev/null 2>/dev/null |
        openssl x509 -noout -checkend 1209600 >/dev/null 2>&1; then
        echo "The certificate of $host cannot be read, or ends within two weeks: certbot renew."
    fi
    [ "$(find "$BACKUPS" -type f -name 'feedsvc-*' -mmin -120 2>/dev/null)" ] ||
        echo "There is no backup of the last two hours in $BACKUPS: journalctl -u feedsvc-backup."
    used=$(df -P "$DATA" | awk 'NR == 2 { print $5 + 0 }')
    [ "$used" -lt 90 ] || echo "The file system of $DATA is at least 90 % full."
)
[ "$problems" = "$(cat "$STATE" 2>/dev/null)" ] && exit
printf '%s\n' "${problems:-All is well again.}" | $TELL && printf %s "$problems" >"$STATE"
