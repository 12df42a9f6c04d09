#!/bin/sh
# Tell the operator each trouble of feedsvc once, and once when it is over. feedsvc-alarm.timer runs this every five
# minutes; without systemd, cron does. /etc/feedsvc-alarm.env has other values than these:
URL=${URL:-http://localhost:8000}                  # with https, the certificate must be valid for two more weeks
BACKUPS=${BACKUPS:-/var/lib/feedsvc-backup}        # the newest one must be younger than two hours
DATA=${DATA:-/var/lib}                             # a tenth of its file system must be free
TELL=${TELL:-cat}                                  # reads the message: mail -s feedsvc you@example
# The troubles that were told: with systemd in memory, which no full disk affects; with cron, name a file in memory.
STATE=${STATE:-${RUNTIME_DIRECTORY:-/var/lib/feedsvc}/alarm}

# The host and port of the URL, such as [::1]:8443; the port is 443 if it has none. Without https, empty.
server=$(printf %s "$URL" | sed -nE '/^https:/ { s#^https://(\[[^]]*]|[^/:?]*):?([0-9]*).*#\1:\2#; s/:$/:443/; p; }')
problems=$(
    # Neither statuses nor curl's messages: they change while the trouble is the same.
    [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "${URL%/}/readyz")" = 200 ] ||
        echo "${URL%/}/readyz does not answer with 200: systemctl status feedsvc."
    if [ "$server" ] && ! timeout 10 openssl s_client -connect "$server" </dev/null 2>/dev/null |
        openssl x509 -noout -checkend 1209600 >/dev/null 2>&1; then
        echo "The certificate of $server cannot be read, or ends within two weeks: certbot renew."
    fi
    if [ ! -d "$BACKUPS" ]; then
        echo "There is no folder $BACKUPS."
    elif [ -z "$(find "$BACKUPS" -type f -name 'feedsvc-*' -size +0 -mmin -120 2>/dev/null)" ]; then
        echo "There is no backup of the last two hours in $BACKUPS: journalctl -u feedsvc-backup."
    fi
    used=$(df -P "$DATA" 2>/dev/null | awk 'NR == 2 { print $5 + 0 }')
    if [ -z "$used" ]; then
        echo "There is no folder $DATA."
    elif [ "$used" -ge 90 ]; then
        echo "The file system of $DATA is at least 90 % full."
    fi
)
told=$(cat "$STATE" 2>/dev/null)
message=$(
    # The empty pattern is for the line of an empty list.
    printf '%s\n' "$problems" | grep -vxF -e "" -e "$told"
    printf '%s\n' "$told" | grep -vxF -e "" -e "$problems" | sed 's/^/Over: /'
    [ "$problems" ] || echo "All is well."
)
# Without a state, as after a reboot, a trouble may have ended untold.
[ -f "$STATE" ] && [ "$told" = "$problems" ] && exit
if ! { printf '%s\n' "$problems" >"$STATE.new"; } 2>/dev/null; then
    message="$message
$STATE cannot be written: this message comes again."
    # A full disk lets it be removed; then the end is told.
    rm -f "$STATE" "$STATE.new" 2>/dev/null
fi
# A message that cannot be sent is sent the next time.
printf '%s\n' "$message" | $TELL && mv "$STATE.new" "$STATE"
