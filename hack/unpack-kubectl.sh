#!/bin/sh
# Unpacks Debian 13's kubectl into .cache/bin, for systems with an older kubectl or none. Installs nothing.
set -eu
cd "$(dirname "$0")/../.cache"

rm -rf kubectl.new
mmdebstrap --quiet --variant=extract --include=kubectl trixie kubectl.new
mkdir -p bin
mv kubectl.new/usr/bin/kubectl bin/kubectl
rm -rf kubectl.new
