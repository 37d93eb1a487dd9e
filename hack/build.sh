#!/bin/sh
# Bundles the program and its dependencies into one file that needs only node.
#   build.sh OUT [INPUTS]     INPUTS: the file for the names of the bundled files
set -eu
out=$1

# Bundled CommonJS modules call require(), which an ES module has to create itself. An old node would stop somewhere with a
# stack trace.
node=$(node -p "/\d+/.exec(require('./package.json').engines.node)[0]")
banner="#!/usr/bin/env -S node --disable-sigusr1
import { createRequire as nftlaneCreateRequire } from 'node:module';
const require = nftlaneCreateRequire(import.meta.url);
if (Number(process.versions.node.split('.')[0]) < $node) {
  process.stderr.write('nftlane: Cannot start: node ' + process.versions.node + ' is too old: node $node is required\\n');
  process.exit(3);
}"
version=$(node -p "require('./package.json').version")

node hack/bundle.mjs "$out" "$version" "$banner" "${2:-}"
chmod +x "$out"
