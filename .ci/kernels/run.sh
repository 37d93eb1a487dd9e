#!/bin/sh
# Boots the kernels of Debian releases in software, without a network, and runs the fast path's tests on them (as root).
# Each suite has a time limit. Ends non-zero when a kernel does not boot, is too slow, or fails a test.
#   run.sh [SUITE...]
set -eu
cd "$(dirname "$0")/../.."
project=$(pwd)
limit=${KERNELS_SECONDS:-180}
[ $# -gt 0 ] || set -- bookworm trixie
logs=.cache/kernels/logs
mkdir -p "$logs"

# The files that packets and the loader are tested in; what has real sockets and deadlines is not for a machine so slow.
tests=${KERNELS_TESTS:-"plain flows errors ownership loader"}
files=
for name in $tests; do files="$files test/bpf/$name.test.ts"; done

boot() {
  kernel=$project/.cache/kernels/$1
  # shellcheck disable=SC2086
  .ci/kernels/initramfs.sh "$1" "$logs/$1.initramfs" "$project/.ci/kernels/guest.sh" "$project" "$kernel" "$PATH" $files
  : >"$logs/$1.out"
  # The guest has the machine's files, which it cannot write.
  timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nodefaults -display none \
    -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$logs/$1.initramfs" \
    -append 'console=ttyS0 panic=-1 loglevel=4 mitigations=off' \
    -virtfs local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap \
    -serial "file:$logs/$1.console" -serial "file:$logs/$1.out"
}

status=0
for suite; do
  .ci/kernels/fetch.sh "$suite"
  echo "$suite:"
  boot "$suite" || echo "  the guest ended with status $? (124: not ready after $limit s)"
  grep -v '^result ' "$logs/$suite.out" | sed 's/^/  /' || true
  awk -v suite="$suite" -v files="$(echo "$tests" | wc -w)" '
    $1 == "result" { passed += $2; failed += $3; seen++ }
    $1 == "guest:" && $2 == "end" { ended = 1 }
    /^ok usable=yes / { usable = 1 }
    END {
      printf "%s: %d passed, %d failed, %d of %d files\n", suite, passed, failed, seen, files
      exit !(usable && ended && passed > 0 && failed == 0 && seen == files)
    }' "$logs/$suite.out" || { status=1 && tail -n 5 "$logs/$suite.console" | sed 's/^/  console: /'; }
done
exit $status
