#!/bin/sh
# Runs the test files of one suite, or the named ones, and writes "PASSED FAILED SKIPPED" to .cache/tap/SUITE.count (with "-"
# for "/" in SUITE).
#   suite.sh SUITE [NAME...]     SUITE: a folder of test/; NAME: a file without ".test.ts"; environment: JOBS, TIMEOUT
set -eu
suite=$1
shift
results=.cache/tap/$(echo "$suite" | tr / -)
mkdir -p .cache/tap
rm -f "$results".*

files=$(for name in "${@:-*}"; do find "test/$suite" -name "$name.test.ts" 2>/dev/null; done | sort)
if [ -z "$files" ]; then
  echo "$suite: no tests"
  exit 0
fi
# shellcheck disable=SC2086
set -- $files
echo "$suite: $# files"

# tap ends with an escape sequence for the cursor even without a terminal; it would garble the next line.
echo 0 >"$results.status"
{
  CI=true tap --disable-coverage --reporter=base --no-color --jobs="${JOBS:-2}" --timeout="${TIMEOUT:-240}" \
    --output-file="$results.tap" "$@" </dev/null 2>&1 || echo $? >"$results.status"
} | sed -u 's/\x1b\[?25h//'
status=$(cat "$results.status")
touch "$results.tap"

# tap ends its output with a line such as "# { total: 6, pass: 4, fail: 1, skip: 1 }", zeros left out.
# A run that failed without a failed assertion, or without that line, counts as one failure.
awk -v status="$status" '
  /^# [{] total: / {
    gsub(/[{},:#]/, " ")
    for (i = 1; i < NF; i += 2) count[$i] = $(i + 1)
  }
  END {
    failed = count["fail"] + 0
    if (status != 0 && failed == 0) failed = 1
    print count["pass"] + 0, failed, count["skip"] + count["todo"]
  }' "$results.tap" >"$results.count"
exit $status
