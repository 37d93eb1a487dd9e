#!/bin/sh
# Runs all checks and tests, even after a failure, and prints the totals in the last line.
set -u
rm -rf .cache/tap
mkdir -p .cache/tap
status=0

# The checks have no tests to count, but a failed check counts as a failure.
hack/check.sh || { status=1 && echo 0 1 0 >.cache/tap/check.count; }
hack/check-rules.sh || { status=1 && echo 0 1 0 >.cache/tap/check-rules.count; }
for suite in unit golden fuzz integration/nft integration/bpf integration/image e2e chaos; do
  hack/suite.sh $suite || status=1
done
# The rest of this suite takes minutes; see make fastpath-test.
hack/suite.sh integration/fastpath conformance traffic-and-restart server-first changes-under-load program-upgrade || status=1

cat .cache/tap/*.count 2>/dev/null | awk '
  { passed += $1; failed += $2; skipped += $3 }
  END {
    printf "%d passed, %d failed", passed, failed
    if (skipped) printf ", %d skipped", skipped
    print ""
    exit passed + failed == 0 || failed > 0
  }' >.cache/tap/total || status=1
cat .cache/tap/total
exit $status
