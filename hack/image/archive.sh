#!/bin/sh
# Writes the image of .cache/image as an OCI archive, like `docker build .` but without docker and without a registry.
#   archive.sh ARCHIVE NAME:TAG
# The archive is reproducible: the same files give the same bytes.
set -eu
archive=$(realpath "$1")
name=$2
cd "$(dirname "$0")/../.."
if ! command -v buildah >/dev/null; then
  echo 'image: installing buildah'
  apt-get -qq update || echo 'image: apt-get update failed; continuing'
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends buildah >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y package.json)}

# The second stage of the Dockerfile, with its files taken from here instead of from the first stage.
sed -n '/^FROM scratch$/,$ { s,--from=build /image/,,; p; }' Dockerfile >"$work/Dockerfile"
buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" bud --quiet --isolation chroot --layers \
  --format oci --timestamp "$time" --label "org.opencontainers.image.version=${name##*:}" \
  --file "$work/Dockerfile" --tag "$name" .cache/image >/dev/null
buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" push --quiet "$name" "oci:$work/oci:$name"
tar --create --file "$archive" --directory "$work/oci" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" \
  --mode=u=rwX,go=rX .
