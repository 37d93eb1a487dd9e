#!/bin/sh
# Checks the Prometheus rules, their unit tests and the dashboard's queries with the promtool of Debian's prometheus package.
# The package is unpacked under .cache and not installed, because it would start a server.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .cache/bin

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

fetch() {
  rm -rf "$1"
  mkdir -p "$1"
  # apt-get download needs package lists. Its sandbox user cannot write to this directory.
  (
    cd "$1"
    download='apt-get -qq -o APT::Sandbox::User=root download prometheus'
    $download 2>/dev/null || { as_root apt-get -qq update && $download; }
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
  )
  mv "$1/usr/bin/promtool" .cache/bin/promtool
  rm -rf "$1"
}

if ! PATH=$PWD/.cache/bin:$PATH command -v promtool >/dev/null; then
  echo 'rules: fetching promtool'
  fetch .cache/promtool.new
fi
PATH=$PWD/.cache/bin:$PATH

# Each query of the dashboard as a rule, with Grafana's variables substituted.
queries=.cache/dashboard.rules.yaml
node -e "
  const { panels } = JSON.parse(fs.readFileSync('manifests/monitoring/nftlane-dashboard.json', 'utf8'));
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const filled = queries.map((query) => query.replaceAll('\$instance', '.*').replaceAll('\$__rate_interval', '5m'));
  const rules = filled.map((expr, index) => ({ record: 'panel:query:' + index, expr }));
  process.stdout.write(JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
" >"$queries"
promtool check rules "$queries"
promtool check rules --lint=all --lint-fatal manifests/monitoring/nftlane.rules.yaml
promtool test rules manifests/monitoring/nftlane.rules.test.yaml
