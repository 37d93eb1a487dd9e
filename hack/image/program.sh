#!/bin/sh
# Builds the directory /usr/lib/nftlane of the image: nftlane, an entry point named kube-proxy, the fast path's
# loader, and the bill of materials of the image.
#   program.sh DIRECTORY ROOT     ROOT: the root file system of the image, from root.sh
set -eu
umask 022
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"
out=$1
root=$2
rm -rf "$out"
mkdir -p "$out"
hack/build.sh "$out/nftlane.mjs" "$out/inputs.json"
node hack/image/sbom.mjs "$root" "$out/inputs.json" >"$out/sbom.cdx.json"
rm "$out/inputs.json"

# The image has no env(1).
sed -i '1s,.*,#!/usr/bin/node --disable-sigusr1,' "$out/nftlane.mjs"
cat >"$out/kube-proxy.mjs" <<'EOF'
#!/usr/bin/node --disable-sigusr1
// For a kube-proxy DaemonSet whose image was replaced: accepts kube-proxy's path and flags.
process.argv.splice(2, 0, 'run');
await import('./nftlane.mjs');
EOF
chmod 755 "$out"/*.mjs

make --no-print-directory -C bpf OUT="$PWD/.cache/image/bpf" >/dev/null
strip -o "$out/nftlane-bpf" .cache/image/bpf/nftlane-bpf
