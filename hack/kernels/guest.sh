#!/bin/sh
# Runs in the guest, on this machine's files: prints the kernel's features and runs the test files.
# Writes to the second serial port; the first is the kernel's console.
#   guest.sh PROJECT KERNEL PATH TEST...
project=$1
kernel=$2
export PATH="$3"
shift 3
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -onlcr

mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /run/work/tmp /run/netns
# tap's default time limit is too short for emulation; run.sh limits the whole boot.
export TMPDIR=/run/work/tmp HOME=/run/work TAP_TIMEOUT=900 TRAFFIC_BYTES=1000000
export TEST_PROGRAM="$project/dist/nftlane.mjs"
# The kernel loads modules through this program, because they are not installed in the guest.
cat >/run/work/modprobe <<END
#!/bin/sh
exec /sbin/modprobe -d "$kernel" "\$@"
END
chmod +x /run/work/modprobe
echo /run/work/modprobe >/proc/sys/kernel/modprobe
# Preload the modules that the tests need: loading one within a transaction takes seconds here.
/run/work/modprobe -qa nf_conntrack nf_nat nf_tables veth bridge sch_ingress sch_tbf cls_bpf cls_u32 \
  nft_chain_nat nft_counter nft_ct nft_fib_ipv4 nft_fib_ipv6 nft_hash nft_masq nft_nat nft_numgen \
  nft_reject_ipv4 nft_reject_ipv6 nf_conntrack_netlink
ip link set lo up
echo "guest: ready after $(cut -d. -f1 /proc/uptime) s"
cd "$project" || echo "guest: cannot enter $project"

echo "guest: Linux $(uname -r)"
mkdir -p /run/work/bpf
mount -t bpf bpf /run/work/bpf
echo probe | dist/bpf/nftlane-bpf /run/work/bpf/v1

# end_of FILE STATUS OUTPUT: prints the duration, "result PASSED FAILED FILE", and on failure the whole output.
end_of() {
  echo "guest: $1 ended after $(($(cut -d. -f1 /proc/uptime) - began)) s"
  # A run that failed without a failed assertion counts as one failure.
  awk -v status="$2" -v file="$1" '
    /^# [{] total: / {
      gsub(/[{},:#]/, " ")
      for (i = 1; i < NF; i += 2) count[$i] = $(i + 1)
    }
    END {
      failed = count["fail"] + 0
      if (failed == 0 && (status != 0 || count["pass"] + 0 == 0)) failed = 1
      print "result", count["pass"] + 0, failed, file
      exit failed > 0
    }' "$3" || cat "$3"
}

began=$(cut -d. -f1 /proc/uptime)
number=0
for file; do
  number=$((number + 1))
  {
    node "$file" >"/run/work/tap.$number" 2>&1
    status=$?
    # One at a time, so that their lines do not mix.
    flock 9
    end_of "$file" $status "/run/work/tap.$number"
  } 9>/run/work/lock &
done
wait

echo 'guest: end'
# Power off without syncing: all writable files are in memory.
exec >/dev/null 2>&1
echo o >/proc/sysrq-trigger
sleep 60
