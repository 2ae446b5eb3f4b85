#!/usr/bin/env bash
# Builds the Dockerfile where there is no Docker engine and no image registry: a base image from debootstrap, buildah in a
# chroot. Then looks into the image: it runs, not as root, and has no compiler. Needs root; `make image-test` installs the tools.
# WHEEL: a wheel in this folder to install; ARCHIVE: a file for the image; SOURCE_DATE_EPOCH: its time.
set -euo pipefail
cd "$(dirname "$0")/../.."

store=${STORE:-$PWD/build/image}
# Where this machine gets its own Debian packages from.
mirror=${MIRROR:-$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null || true; } | awk '/^(deb|URIs:) /{print $2; exit}')}
buildah=(buildah --root "$store/store" --runroot "$store/run" --storage-driver vfs)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
mkdir -p "$store"

if ! "${buildah[@]}" inspect --type image localhost/bookworm-slim >/dev/null 2>&1; then
  echo "making the base image"
  [ -f "$store/base.tar" ] || { debootstrap --variant=minbase bookworm "$store/base" "$mirror" >"$store/debootstrap.log"
    rm -rf "$store/base/etc/apt" && cp -a /etc/apt "$store/base/etc/apt"  # the same sources and proxies in the build
    if [ -n "${CA_BUNDLE:-}" ]; then  # what pip is to trust where a registry has a certificate of its own
      cp "$CA_BUNDLE" "$store/base/etc/build-ca.pem"; printf '[global]\ncert = /etc/build-ca.pem\n' > "$store/base/etc/pip.conf"
    fi
    tar -C "$store/base" -cf "$store/base.tar" .; rm -rf "$store/base"; }
  base=$("${buildah[@]}" from scratch)
  "${buildah[@]}" add "$base" "$store/base.tar" / >/dev/null
  "${buildah[@]}" commit -q "$base" localhost/bookworm-slim >/dev/null
  "${buildah[@]}" rm "$base" >/dev/null
fi

echo "building"
"${buildah[@]}" build --isolation chroot --network host --no-cache --build-arg BASE=localhost/bookworm-slim \
  --timestamp "$epoch" --build-arg SOURCE_DATE_EPOCH="$epoch" ${WHEEL:+--build-arg WHEEL="$WHEEL"} -t tonewall . >"$store/build.log" 2>&1 || { tail -40 "$store/build.log"; exit 1; }

image=$("${buildah[@]}" from localhost/tonewall)
trap '"${buildah[@]}" rm "$image" >/dev/null' EXIT
in_image() { "${buildah[@]}" run --isolation chroot "$image" -- "$@"; }
echo "runs:      $(in_image tonewall version)"
user=$(in_image id -un); echo "as:        $user"; [ "$user" = tonewall ]
for tool in gcc cc g++ make cmake; do ! in_image sh -c "command -v $tool" 2>/dev/null || { echo "a $tool is in the image"; exit 1; }; done
echo "compiler:  none"
in_image /opt/tonewall/bin/python -c 'from media._core import SecretMemory; print("card memory:", SecretMemory(4096).kind)'
in_image /opt/tonewall/bin/python -c 'from b2bua.api.pages import load_pages; print("the page: ", len(load_pages()), "files")'
"${buildah[@]}" inspect --type image localhost/tonewall | grep -q '"tonewall",' && echo "healthcheck and entrypoint: set"
if [ -n "${ARCHIVE:-}" ]; then rm -f "$ARCHIVE"; "${buildah[@]}" push -q localhost/tonewall "oci-archive:$ARCHIVE"; fi
