#!/bin/sh
# Runs the suite of test/e2e in a real cluster.
#   E2E_CLUSTER=kind      (default) a cluster that kind creates here and deletes afterwards; needs docker, kind and kubectl
#   E2E_CLUSTER=existing  the cluster of KUBECONFIG, with nftlane deployed from manifests/; needs kubectl and E2E_IMAGE, the
#                         image of nftlane in the cluster. It needs two schedulable nodes or more, and both IP families.
# Exit status 77: a prerequisite is missing and nothing was tested. (make prints "Error 77" and exits with 2.)
set -eu
cluster=${E2E_CLUSTER:-kind}

cannot() {
  echo "e2e: nothing was tested: $*"
  echo 'e2e: "make e2e-netns" runs the same suite in network namespaces'
  echo 'e2e: hack/e2e.sh exits with status 77, which make turns into "Error 77" and status 2'
  exit 77
}

command -v kubectl >/dev/null || cannot 'kubectl not found'
case $cluster in
  kind)
    command -v kind >/dev/null || cannot 'kind not found (E2E_CLUSTER=existing uses an existing cluster)'
    docker info >/dev/null 2>&1 || cannot 'no docker engine is running'
    work=$(mktemp -d)
    trap 'kind delete cluster --name nftlane; rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    export KUBECONFIG="$work/kubeconfig"
    E2E_IMAGE=localhost/nftlane:$(node -p "require('./package.json').version")
    hack/image/files.sh
    hack/image/archive.sh "$work/image.tar" "$E2E_IMAGE"
    kind create cluster --name nftlane --config manifests/kind/cluster.yaml
    kind load image-archive --name nftlane "$work/image.tar"
    kubectl kustomize manifests/kind | sed 's,image: nftlane:,image: localhost/nftlane:,' | kubectl apply --filename -
    kubectl --namespace kube-system rollout status daemonset/nftlane --timeout 180s
    kubectl wait --for condition=Ready nodes --all --timeout 180s
    ;;
  existing)
    kubectl version >/dev/null 2>&1 || cannot 'kubectl reaches no cluster'
    [ -n "${E2E_IMAGE:-}" ] || cannot 'E2E_IMAGE, the image of nftlane, is not set'
    ;;
  *) cannot "E2E_CLUSTER is \"$cluster\": neither \"kind\" nor \"existing\"" ;;
esac

export E2E_CLUSTER="$cluster" E2E_IMAGE
TIMEOUT=1200 hack/suite.sh e2e
