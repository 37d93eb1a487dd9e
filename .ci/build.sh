#!/bin/sh
# Bundles the program with its dependencies into one file that needs nothing but node.
set -eu
out=$1

# Bundled CommonJS modules call require(), which an ES module has to make for itself.
banner="#!/usr/bin/env node
import { createRequire as nftlaneCreateRequire } from 'node:module';
const require = nftlaneCreateRequire(import.meta.url);"
version=$(node -p "require('./package.json').version")

esbuild src/main.ts --bundle --platform=node --format=esm --target=node24 --tree-shaking=true \
  --banner:js="$banner" --define:NFTLANE_VERSION="\"$version\"" --log-level=warning --outfile="$out"
chmod +x "$out"
