#!/bin/sh
# Unpacks the kernel of a Debian release under .cache/kernels/SUITE, unless it exists. Installs nothing.
#   fetch.sh SUITE
set -eu
cd "$(dirname "$0")/../.."
suite=$1
kernels=.cache/kernels
[ ! -e "$kernels/$suite/complete" ] || exit 0

mkdir -p "$kernels"
rm -rf "$kernels/$suite" "$kernels/$suite.new"
trap 'rm -rf "$kernels/$suite.new"' EXIT

# mmdebstrap provides the release's address and signing key; only one package is downloaded.
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=custom --customize-hook='
  cd "$1"
  export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
  image=$(apt-cache depends --important linux-image-amd64 | sed -n "s/^ *Depends: *//p")
  apt-get -qq -o APT::Sandbox::User=root download "$image"' "$suite" "$kernels/$suite.new"

dpkg-deb -x "$kernels/$suite.new"/linux-image-*.deb "$kernels/$suite"
# The module directory depends on the release; modprobe looks in /lib.
[ -e "$kernels/$suite/lib" ] || ln -s usr/lib "$kernels/$suite/lib"
depmod -b "$kernels/$suite" "$(ls "$kernels/$suite/lib/modules")"
touch "$kernels/$suite/complete"
