#!/bin/sh
# Builds the files of the image under .cache/image: `root`, which is kept until its inputs change, and `program`.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .cache/image
exec 8>.cache/image/lock
flock 8

missing=$(for tool in mmdebstrap strip; do command -v $tool >/dev/null || echo $tool; done)
if [ -n "$missing" ]; then
  apt-get -qq update || echo 'image: apt-get update failed; continuing'
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
    mmdebstrap debian-archive-keyring binutils >/dev/null
fi

# Debian's updates are fetched on the first use in a month, or after `rm -r .cache/image`.
key=$({ date +%Y-%m; cat hack/image/packages hack/image/root.sh; node --version; } | sha256sum)
if [ "$key" != "$(cat .cache/image/root.key 2>/dev/null)" ]; then
  rm -f .cache/image/root.key
  hack/image/root.sh .cache/image/root node_modules/node/bin/node
  echo "$key" >.cache/image/root.key
fi
# An unchanged program is not replaced, because it may be running.
hack/image/program.sh .cache/image/program.new .cache/image/root
diff -rq .cache/image/program.new .cache/image/program >/dev/null 2>&1 || {
  rm -rf .cache/image/program
  cp -a .cache/image/program.new .cache/image/program
}
rm -rf .cache/image/program.new

limit=200
size=$(du -sm --total .cache/image/root .cache/image/program | tail -n 1 | cut -f 1)
echo "image: $size MB unpacked"
if [ "$size" -gt $limit ]; then
  echo "image: larger than $limit MB" >&2
  exit 1
fi
