#!/bin/sh
# What the guest does with this machine's files: tells what the kernel can do, and runs the test files on it.
# Speaks to the second serial port; the first is the kernel's.
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
# tap's own limit for a file is meant for a faster machine; the host ends what takes too long.
export TMPDIR=/run/work/tmp HOME=/run/work TAP_TIMEOUT=900
# The kernel asks for modules by itself, but this is not the machine that they are installed on.
cat >/run/work/modprobe <<END
#!/bin/sh
exec /sbin/modprobe -d "$kernel" "\$@"
END
chmod +x /run/work/modprobe
echo /run/work/modprobe >/proc/sys/kernel/modprobe
/run/work/modprobe -a nf_conntrack nf_nat nf_tables veth bridge sch_ingress cls_bpf
ip link set lo up
echo "guest: ready after $(cut -d. -f1 /proc/uptime) s"
cd "$project" || echo "guest: no project"

echo "guest: Linux $(uname -r)"
mkdir -p /run/work/bpf
mount -t bpf bpf /run/work/bpf
echo probe | dist/bpf/nftlane-bpf /run/work/bpf/v1

began=$(cut -d. -f1 /proc/uptime)
number=0
for file; do
  number=$((number + 1))
  {
    node "$file" >"/run/work/tap.$number" 2>&1
    echo $? >"/run/work/status.$number"
    echo "guest: $file ended after $(($(cut -d. -f1 /proc/uptime) - began)) s"
  } &
done
wait

number=0
for file; do
  number=$((number + 1))
  status=$(cat "/run/work/status.$number")
  # A run that failed without a failed assertion counts as one failure.
  awk -v status="$status" -v file="$file" '
    /^# [{] total: / {
      gsub(/[{},:#]/, " ")
      for (i = 1; i < NF; i += 2) count[$i] = $(i + 1)
    }
    END {
      failed = count["fail"] + 0
      if (failed == 0 && (status != 0 || count["pass"] + 0 == 0)) failed = 1
      print "result", count["pass"] + 0, failed, file
      exit failed > 0
    }' "/run/work/tap.$number" || cat "/run/work/tap.$number"
done
echo 'guest: end'
# The files go with the power, and nobody is to hear of it.
exec >/dev/null 2>&1
echo o >/proc/sysrq-trigger
sleep 60
