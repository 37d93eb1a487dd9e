#!/bin/sh
# Builds the root file system of the image without nftlane itself: node and the required programs of Debian 13.
#   root.sh DIRECTORY NODE     NODE: the node executable, whose symbols are stripped
# It has no shell and no package manager. The same packages give the same files.
set -eu
umask 022
node=$(realpath "$2")
packages=$(paste -sd, "$(dirname "$0")/packages")
rm -rf "$1"
mkdir -p "$(dirname "$1")"

# Package descriptions are kept for scanners, one file each, as in distroless images.
# shellcheck disable=SC2016
describe='mkdir -p "$1/var/lib/dpkg/status.d"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$deb" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
done'
mmdebstrap --quiet --mode=root --skip=output/dev --variant=extract --extract-hook="$describe" \
  --include="$packages" trixie "$1"
cd "$1"

keep() { # FOLDER NAME...: removes everything else from the folder
  folder=$1
  shift
  for path in "$folder"/* "$folder"/.[!.]*; do
    case " $* " in
      *" ${path##*/} "*) ;;
      *) rm -rf "$path" ;;
    esac
  done
}

iptables() { # the names of one program: each command, without a suffix, and for nft and legacy
  for name in iptables ip6tables; do
    for job in '' -save -restore; do echo "$name$job $name-nft$job $name-legacy$job"; done
  done
}
for name in iptables ip6tables; do
  for job in '' -save -restore; do ln -sf "$name-nft$job" "usr/sbin/$name$job"; done
done

# shellcheck disable=SC2046
keep usr/sbin nft conntrack bridge tc ipset ipvsadm modprobe xtables-nft-multi xtables-legacy-multi $(iptables)
keep usr/bin ip ss kmod lsmod
keep usr bin sbin lib lib64 share local
keep usr/share doc iproute2
keep etc debian_version ethertypes host.conf ld.so.conf.d os-release protocols services
keep var lib
keep var/lib dpkg
keep var/lib/dpkg status.d
keep . bin sbin lib lib64 etc usr var
rm -rf usr/local/* usr/lib/systemd usr/lib/init usr/lib/*/gconv usr/lib/*/perl*
find usr/share/doc -mindepth 2 ! -name copyright ! -type d -delete
find usr/share/doc -mindepth 1 -depth -type d -empty -delete

mkdir -p dev proc sys run tmp root usr/lib/nftlane usr/local/bin
ln -s ../lib/nftlane/nftlane.mjs usr/bin/nftlane
ln -s ../../lib/nftlane/kube-proxy.mjs usr/local/bin/kube-proxy
chmod 1777 tmp
chmod 700 root
echo 'root:x:0:0:root:/root:/usr/sbin/nologin' >etc/passwd
echo 'root:x:0:' >etc/group
strip -o usr/bin/node "$node"
chmod 755 usr/bin/node
