#!/bin/sh
# Runs all static checks, even after one has failed.
set -u
status=0

echo 'check: types (tsc)'
tsc --noEmit || status=1
echo 'check: style (biome)'
biome check --error-on-warnings src test docs/behaviour || status=1
echo 'check: words (hack/words.txt)'
node hack/check-words.mjs || status=1
exit $status
