#!/bin/sh
# Unpacks Debian 13's nft and conntrack under .cache, for systems with older versions. Installs nothing.
set -eu
cd "$(dirname "$0")/../.cache"

rm -rf debian13 debian13.new
mmdebstrap --quiet --variant=extract --include=nftables,conntrack trixie debian13.new
mv debian13.new debian13

# The programs run with their own loader and libraries, because the system's C library may be older.
cd debian13
for loader in usr/lib/*-linux-gnu*/ld-linux-*.so.*; do
  [ -x "$loader" ] && break
done
cd ..

mkdir -p bin
for tool in nft conntrack; do
  cat >"bin/$tool" <<EOF
#!/bin/sh
# Debian 13's $tool. Written by hack/unpack-nft.sh.
root=\${0%/*}/../debian13
exec "\$root/$loader" --library-path "\$root/${loader%/*}" "\$root/usr/sbin/$tool" "\$@"
EOF
  chmod +x "bin/$tool"
done
