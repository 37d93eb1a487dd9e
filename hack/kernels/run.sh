#!/bin/sh
# Boots the kernels of Debian releases in qemu, without a network, and runs tests of the fast path and of the rules on them
# (as root). Each boot has a time limit. Exits non-zero when a kernel does not boot, exceeds the limit, or fails a test.
#   run.sh [SUITE...]
set -eu
cd "$(dirname "$0")/../.."
project=$(pwd)
limit=${KERNELS_SECONDS:-300}
[ $# -gt 0 ] || set -- bullseye bookworm trixie
logs=.cache/kernels/logs
mkdir -p "$logs"

# The test files of each boot; those of the second use real sockets.
packets="bpf/without-conntrack-lookup bpf/flows bpf/packets-for-the-stack bpf/frontends-and-backends bpf/fragments-and-icmp"
packets="$packets bpf/flow-ownership bpf/loader bpf/loader-attach bpf/loader-flows nft/render"
sockets="bpf/traffic fastpath/fast-path-and-nft"

# boot SUITE LOG TEST...
boot() {
  suite=$1
  log=$logs/$2
  kernel=$project/.cache/kernels/$suite
  shift 2
  files=
  for name; do files="$files test/integration/$name.test.ts"; done
  # shellcheck disable=SC2086
  hack/kernels/initramfs.sh "$suite" "$log.initramfs" "$project/hack/kernels/guest.sh" "$project" "$kernel" "$PATH" $files
  : >"$log.out"
  # The guest sees the host's files read-only.
  timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nodefaults -display none \
    -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$log.initramfs" \
    -append 'console=ttyS0 panic=-1 loglevel=4 mitigations=off' \
    -virtfs local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap \
    -serial "file:$log.console" -serial "file:$log.out"
}

# The expected last line of `probe` on a release: with fewer features, tests would be skipped.
probed() {
  case $1 in
    bullseye) echo 'ok usable=yes udp=no attach=clsact' ;;
    bookworm) echo 'ok usable=yes udp=yes attach=clsact' ;;
    *) echo 'ok usable=yes udp=yes attach=tcx' ;;
  esac
}

# run SUITE LOG TEST...
run() {
  echo "$2:"
  boot "$@" || echo "  the guest exited with status $? (124: not done after $limit s)"
  grep -v '^result ' "$log.out" | sed 's/^/  /' || true
  awk -v log_name="$2" -v files="$(($# - 2))" -v probed="$(probed "$1")" '
    $1 == "result" { passed += $2; failed += $3; seen++ }
    $1 == "guest:" && $2 == "end" { ended = 1 }
    $0 == probed { as_known = 1 }
    END {
      printf "%s: %d passed, %d failed, %d of %d files\n", log_name, passed, failed, seen, files
      if (!as_known) print log_name ": unexpected kernel features, expected: " probed
      exit !(as_known && ended && passed > 0 && failed == 0 && seen == files)
    }' "$log.out" || { status=1 && tail -n 5 "$log.console" | sed 's/^/  console: /'; }
}

status=0
for release; do
  hack/kernels/fetch.sh "$release" || { echo "$release: cannot fetch its kernel" && status=1 && continue; }
  # shellcheck disable=SC2086
  if [ -n "${KERNELS_TESTS:-}" ]; then
    run "$release" "$release" $KERNELS_TESTS
  else
    run "$release" "$release-packets" $packets
    run "$release" "$release-sockets" $sockets
  fi
done
exit $status
