#!/bin/sh
# Makes the directory /usr/lib/nftlane of the image: our program, its entrance under kube-proxy's name, and what loads the
# fast path.
#   program.sh DIRECTORY
set -eu
umask 022
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"
out=$1
rm -rf "$out"
mkdir -p "$out"
hack/build.sh "$out/nftlane.mjs"

# There is no env(1) in the image.
sed -i '1s,.*,#!/usr/bin/node,' "$out/nftlane.mjs"
cat >"$out/kube-proxy.mjs" <<'EOF'
#!/usr/bin/node
// For a DaemonSet of kube-proxy in which only the image was replaced: its path and its flags.
process.argv.splice(2, 0, 'run');
await import('./nftlane.mjs');
EOF
chmod 755 "$out"/*.mjs

make --no-print-directory -C bpf OUT="$PWD/.cache/image/bpf" >/dev/null
strip -o "$out/nftlane-bpf" .cache/image/bpf/nftlane-bpf
