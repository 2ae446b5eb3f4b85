#!/usr/bin/env bash
# Installs the Debian package into a new Debian 12 that runs systemd as process 1 in namespaces of its own, and carries a
# call there; then upgrades, removes and purges it. Needs root; `make deb-test` installs the tools. DEB: the package.
set -euo pipefail
cd "$(dirname "$0")/../.."

deb=$(realpath "$DEB")
store=${STORE:-$PWD/build/deb}
root=$store/root
# Where this machine gets its own Debian packages from.
mirror=${MIRROR:-$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | awk '/^(deb|URIs:) /{print $2; exit}')}
mkdir -p "$store"
say() { printf '%-12s%s\n' "$1:" "$2"; }
fail() { echo "deb-test: $1" >&2; exit 1; }
eventually() {  # WHAT COMMAND...: tried for a minute
  local what=$1; shift
  for _ in $(seq 300); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.2; done
  fail "never came: $what"
}

if [ ! -f "$store/base.tar" ]; then
  echo "making a Debian 12"
  rm -rf "$store/base"
  debootstrap --variant=minbase --include=ca-certificates,systemd bookworm "$store/base" "$mirror" >"$store/debootstrap.log"
  tar -C "$store/base" -cf "$store/base.tar" . && rm -rf "$store/base"
fi
rm -rf "$root" && mkdir "$root" && tar -C "$root" -xf "$store/base.tar"
cp -a /etc/apt/apt.conf.d "$root/etc/apt/"  # the same proxies
echo "deb $mirror bookworm main" >"$root/etc/apt/sources.list"
mkdir "$root/srv/packages" && cp "$deb" "$root/srv/packages/tonewall.deb"
chroot "$root" sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends --download-only /srv/packages/tonewall.deb' \
  >"$store/download.log" 2>&1 || { tail "$store/download.log"; fail "a dependency cannot be had"; }

# A machine of its own: every namespace but that of users, no network but loopback.
boot='set -eu
mount --make-rprivate / && mount --bind "$1" "$1" && cd "$1"
mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev && mkdir dev/pts dev/shm
for each in null zero full random urandom tty; do touch dev/$each && mount --bind /dev/$each dev/$each; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm && mount -t tmpfs -o mode=755 tmpfs run && ip link set lo up
mkdir -p old && pivot_root . old && umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=console --show-status=no'
unshare --cgroup --mount --pid --uts --ipc --net --fork --kill-child sh -c "$boot" boot "$root" >"$store/boot.log" 2>&1 </dev/null &
outer=$!
trap 'kill -KILL $outer 2>/dev/null || true' EXIT
eventually "the machine" pgrep -P $outer
init=$(pgrep -P $outer)
inside() { nsenter -t "$init" --mount --pid --uts --ipc --net --cgroup --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
beside() { nsenter -t "$init" --net "$@"; }  # this machine's programs at that machine's network
apt() { inside apt-get "$@" >>"$store/apt.log" 2>&1 || { tail -20 "$store/apt.log"; fail "apt-get $*"; }; }
active() { [ "$(inside systemctl is-active tonewall@main)" = active ]; }
started() { inside systemctl show --value -p MainPID tonewall@main; }
: >"$store/apt.log"
up() { case $(inside systemctl is-system-running) in running|degraded) ;; *) return 1;; esac; }
eventually "systemd" up

apt install -y -q --no-install-recommends /srv/packages/tonewall.deb
say "installed" "$(inside tonewall --version)"
unresolved=$(inside sh -c 'find /usr/lib/tonewall -name "*.so*" | LD_LIBRARY_PATH=$(ls -d /usr/lib/tonewall/lib/python3*/site-packages/*.libs | tr "\n" :) xargs ldd 2>/dev/null | grep "not found" || true')
[ -z "$unresolved" ] || fail "a library is missing: $unresolved"
inside systemd-analyze verify /usr/lib/systemd/system/tonewall@.service
say "folders" "$(inside stat -c '%n %a %U:%G' /etc/tonewall /var/lib/tonewall | paste -sd ' ')"
[ "$(inside stat -c '%a %U:%G' /etc/tonewall)" = "750 root:tonewall" ] || fail "/etc/tonewall: others may list it"
inside sh -c '/var/lib/dpkg/info/tonewall.postinst configure && dpkg --verify tonewall' || fail "configured a second time"

inside sh -c 'cd / && exec setsid /usr/lib/tonewall/bin/python3 -m provider_adapters.local.provider --directory /srv/provider' >"$store/provider.json" 2>/dev/null </dev/null &
eventually "the provider" grep -q url "$store/provider.json"
value() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$store/provider.json"; }
inside cp -r /srv/provider /etc/tonewall/provider
cat >"$store/main.conf" <<CONF
[general]
bind = 127.0.0.1
directory = /run/tonewall/main
[carrier]
host = 127.0.0.2
port = 5070
[pbx]
host = 127.0.0.3
port = 5080
[media]
address = 127.0.0.1
ports = 20000-20099
[api]
tokens = desk-1:a-token-of-the-package-test
roles = desk-1:supervisor
[provider]
url = $(value url)
api_key = $(value api_key)
ca_file = /etc/tonewall/provider/$(basename "$(value ca_file)")
journal = /var/lib/tonewall/main/journal.jsonl
[cdr]
url = sqlite:////var/lib/tonewall/main/cdr.sqlite
spool = /var/lib/tonewall/main/cdr.spool
CONF
inside sh -c 'cat >/etc/tonewall/main.conf && chown tonewall:tonewall /etc/tonewall/main.conf && chmod 600 /etc/tonewall/main.conf && chmod -R a+rX /etc/tonewall/provider' <"$store/main.conf"
inside tonewall doctor -c /etc/tonewall/main.conf >"$store/doctor.log" 2>&1 || true
objections=$(awk '/^fault/ {print $2}' "$store/doctor.log" | paste -sd ' ')  # nobody plays carrier and PBX yet
[ "$objections" = "carrier pbx" ] || { cat "$store/doctor.log"; fail "doctor objects to: $objections"; }
say "doctor" "$(grep -c '^ok' "$store/doctor.log") checks are good, and carrier and PBX are not there yet"
inside systemctl enable --quiet --now tonewall@main || { inside journalctl --no-pager -u tonewall@main | tail -20; fail "no start"; }
active || fail "not active"
say "runs" "$(inside systemctl show --value -p StatusText tonewall@main); $(inside systemctl show --value -p User tonewall@main)"

call() {
  beside sipp -sn uas -i 127.0.0.3 -p 5080 -m 1 -timeout 60 -nostdin >"$store/pbx.log" 2>&1 &
  local pbx=$!
  beside sipp -sn uac -i 127.0.0.2 -p 5070 -s 4930230558391 -m 1 -d 500 -timeout 60 -nostdin 127.0.0.1:5060 >"$store/carrier.log" 2>&1 \
    || { tail -5 "$store/carrier.log"; fail "the call failed"; }
  wait $pbx || fail "the PBX's side of the call failed"
}
records() { inside tonewall cdr export -c /etc/tonewall/main.conf --format csv 2>/dev/null | grep -c inbound; }
has() { [ "$(records)" = "$1" ]; }
call
eventually "the record of a call" has 1
say "call" "answered, hung up, and $(records) record kept"

before=$(started)
apt install -y -q --reinstall /srv/packages/tonewall.deb
eventually "the instance after an upgrade" active
[ "$(started)" != "$before" ] || fail "the upgrade left the old program running"
call
eventually "the record of a call after the upgrade" has 2
say "upgrade" "stopped, started again, $(records) records"

apt remove -y -q tonewall
! active || fail "removed, and it runs"
[ -z "$(inside sh -c 'ls -d /usr/bin/tonewall /usr/lib/tonewall /etc/systemd/system/multi-user.target.wants/tonewall@* 2>/dev/null')" ] || fail "something is left of the program"
inside test -s /var/lib/tonewall/main/cdr.sqlite -a -s /etc/tonewall/main.conf || fail "removing took records or configuration"
say "remove" "records, journal and configuration stay"
apt purge -y -q tonewall
inside test -s /var/lib/tonewall/main/cdr.sqlite -a -s /etc/tonewall/main.conf || fail "a purge took records without being asked"
! inside test -e /etc/tonewall/sip.conf.example || fail "a purge left the example"
apt install -y -q /srv/packages/tonewall.deb
inside touch /var/lib/tonewall/remove-on-purge
apt purge -y -q tonewall
! inside test -e /var/lib/tonewall || fail "a purge left records that it was asked to remove"
! inside test -e /etc/tonewall || fail "a purge left configurations that it was asked to remove"
say "purge" "keeps records, unless asked to remove them"
