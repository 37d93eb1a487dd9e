#!/bin/sh
# Builds the initramfs that mounts the host's files in the guest: busybox and the modules for it.
#   initramfs.sh SUITE OUT COMMAND...
set -eu
suite=$1
out=$2
shift 2
kernel=$(pwd)/.cache/kernels/$suite
version=$(ls "$kernel/lib/modules")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/bin" "$work/proc" "$work/dev" "$work/modules"
cp /bin/busybox "$work/bin/"
cp hack/kernels/init "$work/init"
chmod +x "$work/init"
echo "$*" >"$work/guest"

for module in virtio_pci 9pnet_virtio 9p; do
  modprobe -d "$kernel" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
  name=$(basename "${path%.xz}")
  case $path in
    *.xz) xz -dc "$path" >"$work/modules/$name" ;;
    *) cp "$path" "$work/modules/$name" ;;
  esac
  echo "$name" >>"$work/modules/order"
done
(cd "$work" && find . | cpio --quiet -o -H newc) | gzip -1 >"$out"
