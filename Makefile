# Builds and tests nftlane on a bare Debian 12 or later. `make help` lists the targets; `make test` is a good start.

# The path for npm, which cannot replace the node that it runs on.
export SYSTEM_PATH := $(PATH)
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

# Directories are included, so that a deleted file counts as a change.
SOURCES := $(shell find src) package.json package-lock.json hack/build.sh hack/bundle.mjs

.NOTPARALLEL:
.PHONY: help setup setup-kubectl setup-bpf build check check-rules unit coverage golden netns test demo bench conformance
.PHONY: bpf harness bpf-test fastpath-test fuzz-bpf bench-fastpath setup-kernels kernels
.PHONY: chaos fuzz soak truth
.PHONY: image image-root image-bench e2e e2e-netns clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup: ## Install missing prerequisites: Debian packages, npm packages, nft of Debian 13
	@hack/setup.sh

build: dist/nftlane.mjs ## Bundle src/main.ts into dist/nftlane.mjs

dist/nftlane.mjs: $(SOURCES) | setup
	hack/build.sh $@

check: setup ## Check types, style and the word list
	@hack/check.sh

check-rules: ## Check the Prometheus rules and the dashboard with promtool
	@hack/check-rules.sh

unit: setup-kubectl ## Run the unit tests
	@hack/suite.sh unit

coverage: setup-kubectl ## Print line and branch coverage by package; fails when a pure package is below 95 % of lines
	@node hack/coverage.mjs

golden: setup ## Compare rulesets with the recorded ones in test/golden
	@hack/suite.sh golden

image-root: setup-kubectl harness ## Test the image's files with the rights of a pod (as root)
	@hack/suite.sh integration/image

e2e-netns: setup-bpf ## Run the end-to-end suite with two nodes in network namespaces and a test API server (as root)
	@E2E_CLUSTER=netns hack/suite.sh e2e

netns: setup ## Test the daemon with real sockets in network namespaces (as root)
	@hack/suite.sh integration/nft

test: setup-kubectl harness ## Run check, check-rules, unit, golden, parts of fuzz and chaos, netns, bpf-test, image-root, e2e-netns and the core of fastpath-test
	@hack/test.sh

demo: build ## Demonstrate nftlane in network namespaces (as root)
	node test/demo/demo.ts

bench: build ## Benchmark the layout and the daemon (as root)
	node test/bench/bench.ts

image: setup-bpf ## Write the image as an OCI archive to dist/, without docker or a registry (as root)
	hack/image/files.sh
	@mkdir -p dist
	cp .cache/image/program/sbom.cdx.json dist/nftlane-image.cdx.json
	hack/image/archive.sh dist/nftlane-image.tar nftlane:$$(node -p "require('./package.json').version")

image-bench: image ## Benchmark the image (as root)
	node test/integration/image/bench.ts dist/nftlane-image.tar

e2e: setup ## Run the end-to-end suite in a kind cluster, or with E2E_CLUSTER=existing; "Error 77" without one
	@hack/e2e.sh

conformance: bpf ## Compare expected outcomes, the ruleset and real packets, with and without the fast path (as root)
	node test/conformance/conformance.ts

setup-kubectl:
	@hack/setup.sh kubectl

setup-bpf:
	@hack/setup.sh bpf

bpf: setup-bpf ## Build the fast path's programs and loader, dist/bpf/nftlane-bpf
	@$(MAKE) --no-print-directory -C bpf OUT=$(CURDIR)/dist/bpf

harness: bpf
	@$(MAKE) --no-print-directory -C bpf OUT=$(CURDIR)/dist/bpf harness

bpf-test: harness ## Test the fast path's BPF programs packet by packet (as root)
	@hack/suite.sh integration/bpf

fastpath-test: harness ## Test the daemon and the fast path with real sockets (as root)
	@TIMEOUT=240 hack/suite.sh integration/fastpath

fuzz-bpf: harness ## Fuzz the fast path's BPF programs with a million packets (as root)
	node test/integration/bpf/fuzz.ts

chaos: setup ## Break everything at random for ten minutes under traffic: CHAOS_SECONDS, CHAOS_FAULTS, CHAOS_SEED (as root)
	node test/chaos/main.ts

fuzz: setup ## Feed a million mutated inputs to every parser and server: FUZZ_INPUTS, FUZZ_SEED, FUZZ_TARGET
	node test/fuzz/main.ts

soak: build ## Change 100 endpoints a second for an hour: SOAK_SECONDS, SOAK_SERVICES (as root)
	node test/soak/soak.ts

truth: setup ## Change a ruleset at random, and hold diff, doctor and explain to real packets: TRUTH_STATES, TRUTH_SEED (as root)
	node test/truth/main.ts

bench-fastpath: harness ## Benchmark the fast path beside nftables rules (as root)
	node test/bench/fastpath/bench.ts

setup-kernels:
	@hack/setup.sh bpf kernels

kernels: setup-kernels build harness ## Test the fast path and the rules on the kernels of Debian 11, 12 and 13 in qemu (as root)
	@hack/kernels/run.sh

clean: ## Remove all build output and caches except node_modules
	rm -rf dist .cache .tap
