# Everything there is to do here, on a bare Debian 12 or later: `make test` is enough to begin with.

# What npm itself runs with: it cannot replace the node that it runs on.
export SYSTEM_PATH := $(PATH)
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

# The directories are among them, so that a deleted file counts as a change.
SOURCES := $(shell find src) package.json package-lock.json hack/build.sh hack/bundle.mjs

.NOTPARALLEL:
.PHONY: help setup setup-kubectl setup-bpf build check check-rules unit coverage golden netns test demo bench conformance
.PHONY: bpf harness bpf-test fastpath-test fuzz-bpf bench-fastpath setup-kernels kernels
.PHONY: image image-root image-bench e2e e2e-netns clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup: ## Install what is missing: Debian packages, npm packages, Debian 13's nft
	@hack/setup.sh

build: dist/nftlane.mjs ## Bundle src/main.ts into dist/nftlane.mjs

dist/nftlane.mjs: $(SOURCES) | setup
	hack/build.sh $@

check: setup ## Check the types and the style
	@hack/check.sh

check-rules: ## Check the Prometheus rules and the dashboard with promtool
	@hack/check-rules.sh

unit: setup-kubectl ## Test the modules one by one
	@hack/suite.sh unit

coverage: setup-kubectl ## Print line and branch coverage by package; fails when a pure package is below 95 % of lines
	@node hack/coverage.mjs

golden: setup ## Test that the rulesets for given Services are the recorded ones
	@hack/suite.sh golden

image-root: setup-kubectl bpf ## Test the files of the image, run as a pod has them (as root)
	@hack/suite.sh integration/image

e2e-netns: setup-bpf ## Test as a cluster's user: two nodes in network namespaces, an API server of our own (as root)
	@E2E_CLUSTER=netns hack/suite.sh e2e

netns: setup ## Test with real sockets in network namespaces (as root)
	@hack/suite.sh integration/nft

test: setup-kubectl harness ## Run check, check-rules, unit, golden, netns, bpf-test, image-root, e2e-netns and the core of fastpath-test, and count
	@hack/test.sh

demo: build ## Show it at work in network namespaces (as root)
	node test/demo/demo.ts

bench: build ## Measure it (as root)
	node test/bench/bench.ts

image: setup-bpf ## Write the image as an OCI archive into dist/, without docker and without a registry (as root)
	hack/image/files.sh
	@mkdir -p dist
	hack/image/archive.sh dist/nftlane-image.tar nftlane:$$(node -p "require('./package.json').version")

image-bench: image ## Measure the image (as root)
	node test/integration/image/bench.ts dist/nftlane-image.tar

e2e: setup ## Test in a real cluster: one of kind's, or E2E_CLUSTER=existing; "Error 77" where there is none
	@hack/e2e.sh

conformance: bpf ## Compare what should happen, what the rules say and what packets meet, by the fast path too (as root)
	node test/conformance/conformance.ts

setup-kubectl:
	@hack/setup.sh kubectl

setup-bpf:
	@hack/setup.sh bpf

bpf: setup-bpf ## Build the fast path (bpf/) into dist/bpf/nftlane-bpf
	@$(MAKE) --no-print-directory -C bpf OUT=$(CURDIR)/dist/bpf

harness: bpf
	@$(MAKE) --no-print-directory -C bpf OUT=$(CURDIR)/dist/bpf harness

bpf-test: harness ## Test the fast path's programs packet by packet (as root)
	@hack/suite.sh integration/bpf

fastpath-test: harness ## Test the daemon with the fast path, with real sockets (as root)
	@TIMEOUT=240 hack/suite.sh integration/fastpath

fuzz-bpf: harness ## Throw a million packets at the fast path's programs (as root)
	node test/integration/bpf/fuzz.ts

bench-fastpath: harness ## Measure the fast path beside our own rules (as root)
	node test/bench/fastpath/bench.ts

setup-kernels:
	@hack/setup.sh bpf kernels

kernels: setup-kernels build harness ## Test the fast path and the rules on the kernels of Debian 11, 12 and 13, in qemu (as root)
	@hack/kernels/run.sh

clean: ## Remove all that was made here, except for node_modules
	rm -rf dist .cache .tap
