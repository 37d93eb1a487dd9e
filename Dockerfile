# The image of nftlane: `docker build -t nftlane .`
#
# `make image` builds the same image from the same scripts, without docker or a registry.
FROM debian:13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends \
      binutils ca-certificates clang gcc libbpf-dev libc6-dev make mmdebstrap nodejs npm
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN mkdir -p .cache/image && hack/image/root.sh /image/root node_modules/node/bin/node && hack/image/program.sh /image/program /image/root

# No shell and no package manager: node, nft, conntrack, ip, the programs for the migration from kube-proxy, and nftlane.
FROM scratch
COPY --from=build /image/root/ /
COPY --from=build /image/program/ /usr/lib/nftlane/
# One malloc arena for all threads saves 2 MB and has no other measurable effect.
ENV PATH=/usr/sbin:/usr/bin MALLOC_ARENA_MAX=1
EXPOSE 10249/tcp 10256/tcp
LABEL org.opencontainers.image.title="nftlane" \
      org.opencontainers.image.description="Service proxy for Linux nodes: Kubernetes Services as elements of a few nftables maps" \
      org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["/usr/bin/nftlane"]
CMD ["run"]
