#!/bin/sh
# Runs the suite of test/e2e in a real cluster.
#   E2E_CLUSTER=kind      (default) one that kind makes here, and removes afterwards; needs docker, kind and kubectl
#   E2E_CLUSTER=existing  the one of KUBECONFIG, where nftlane runs as manifests/ has it; needs kubectl, and E2E_IMAGE: the
#                         image of nftlane as its nodes know it. Two nodes or more that take pods, and both families.
# Status 77: what is needed is not there, and nothing was tested. (make itself ends with 2 whatever fails, and prints
# "Error 77".)
set -eu
cluster=${E2E_CLUSTER:-kind}

cannot() {
  echo "e2e: nothing was tested: $*"
  echo 'e2e: "make e2e-netns" runs the same suite in network namespaces'
  echo 'e2e: hack/e2e.sh ends with status 77, which make turns into "Error 77" and status 2'
  exit 77
}

command -v kubectl >/dev/null || cannot 'there is no kubectl'
case $cluster in
  kind)
    command -v kind >/dev/null || cannot 'there is no kind (E2E_CLUSTER=existing takes a cluster that is there)'
    docker info >/dev/null 2>&1 || cannot 'there is no docker engine'
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
    kubectl version >/dev/null 2>&1 || cannot 'no cluster answers kubectl'
    [ -n "${E2E_IMAGE:-}" ] || cannot 'E2E_IMAGE does not say which image has nftlane'
    ;;
  *) cannot "E2E_CLUSTER is \"$cluster\": neither \"kind\" nor \"existing\"" ;;
esac

export E2E_CLUSTER="$cluster" E2E_IMAGE
TIMEOUT=1200 hack/suite.sh e2e
