#!/bin/sh
# Installs the missing prerequisites of building and testing. With "bpf": also those of building the fast path. With
# "kernels": those of booting other kernels. With "kubectl": those of rendering the manifests.
set -eu
cd "$(dirname "$0")/.."
requested=" $* "

say() { echo "setup: $*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

has() { command -v "$1" >/dev/null; }

# The nft of Debian 12 cannot put `ct original proto-dst` into a concatenation; 1.1 can.
has_nft() {
  has conntrack && nft --version 2>/dev/null | grep -Eq '^nftables v(1\.[1-9]|1\.[1-9][0-9]|[2-9])'
}

is_requested() { [ "${requested#* "$1" }" != "$requested" ]; }

# A list of mixed kinds of patches needs kustomize 4.5; the kubectl of Debian 12 has an older one.
has_kubectl() {
  kubectl version --client 2>/dev/null | grep -Eq '^Kustomize Version: v(4\.([5-9]|[1-9][0-9])|[5-9])'
}

has_node_modules() { cmp -s package-lock.json node_modules/.installed-lock.json; }

is_debian_13() {
  # shellcheck source=/dev/null
  (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-99}" -ge 13 ])
}

missing_packages() {
  has ip || echo iproute2
  has sysctl || echo procps
  has openssl || echo openssl
  # For the tests of migrating from kube-proxy.
  has iptables-legacy-save || echo iptables
  has ipset || echo ipset
  # nft reads protocol names from it.
  [ -e /etc/protocols ] || echo netbase
  [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  has_node_modules || PATH=${SYSTEM_PATH:-$PATH} has npm || echo nodejs npm
  has_nft || if is_debian_13; then
    echo nftables conntrack
  elif ! has mmdebstrap; then
    echo mmdebstrap debian-archive-keyring
  fi
}

missing_kubectl_packages() {
  has_kubectl || has mmdebstrap || echo mmdebstrap debian-archive-keyring
}

missing_bpf_packages() {
  has clang || echo clang
  has cc || echo gcc libc6-dev
  has bpftool || echo bpftool
  has ethtool || echo ethtool
  [ -e /usr/include/bpf/libbpf.h ] || echo libbpf-dev
  [ -e /usr/include/linux/bpf.h ] || echo linux-libc-dev
}

missing_kernel_packages() {
  has qemu-system-x86_64 || echo qemu-system-x86
  has modprobe || echo kmod
  has cpio || echo cpio
  has xz || echo xz-utils
  has mmdebstrap || echo mmdebstrap debian-archive-keyring
  # The initramfs has no libraries, so busybox has to be static.
  { [ -e /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; } || echo busybox-static
}

install_packages() {
  say "installing Debian packages:" "$@"
  # A broken third-party source does not matter while Debian's own sources work.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update || say 'apt-get update failed; continuing'
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

mkdir -p .cache
# Two runs at the same time would overwrite each other's files.
exec 9>.cache/setup.lock
flock 9

packages=$(missing_packages)
! is_requested kubectl || packages="$packages $(missing_kubectl_packages)"
! is_requested bpf || packages="$packages $(missing_bpf_packages)"
! is_requested kernels || packages="$packages $(missing_kernel_packages)"
packages=$(printf '%s\n' $packages | sort -u)
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages
if ! has_node_modules; then
  say 'installing npm packages'
  PATH=${SYSTEM_PATH:-$PATH} npm ci --no-audit --no-fund --loglevel=error
  # Without this, the first run of tap after a change of its plugins would use the old ones.
  tap build
  cp package-lock.json node_modules/.installed-lock.json
fi
if ! has_nft; then
  say 'unpacking nft and conntrack of Debian 13 into .cache/debian13'
  hack/unpack-nft.sh
fi
if is_requested kubectl && ! has_kubectl; then
  say 'unpacking kubectl of Debian 13 into .cache/bin'
  hack/unpack-kubectl.sh
fi
say "ready: node $(node --version), $(nft --version)"
