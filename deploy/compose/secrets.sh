#!/bin/sh
# Makes the secrets that compose.yaml and several.yaml name, those that are missing. As root: containers read them by their own users.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 755 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {  # NAME OWNER: a secret from standard input, unless there is one
    if [ -e "secrets/$1" ]; then
        cat >/dev/null
    else
        cat >"secrets/$1"
        if [ "$(id -u)" = 0 ]; then chown "$2" "secrets/$1"; fi
    fi
}
random | keep postgresql_password 0
random | keep grafana_password 472
random | keep prometheus_token 65534
printf 'desk-1:%s,prometheus:%s' "$(random)" "$(cat secrets/prometheus_token)" | keep api_tokens 5060
printf 'postgresql+psycopg://tonewall:%s@127.0.0.1/tonewall' "$(cat secrets/postgresql_password)" | keep cdr_url 5060
random | keep redis_password 5060
# What instances may do in Redis: docs/scale.md.
printf '%s\n' 'user default off' "user tonewall on #$(sha256sum <secrets/redis_password | cut -d ' ' -f 1) resetkeys ~tonewall:* \
resetchannels &tonewall:changes -@all +eval +get +mget +set +del +sadd +srem +srandmember +time +publish +subscribe \
+unsubscribe +client +select" | keep redis_users 999
printf '%s' "${PROVIDER_API_KEY:-change-me}" | keep provider_api_key 5060
echo "secrets/provider_api_key: put your provider's key into it; secrets/api_tokens has the token of desk-1"
