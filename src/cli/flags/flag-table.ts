// Table of the flags that set configuration fields.

import type { FlagValue } from '../../config/configuration.ts';
import { KUBE_PROXY_KIND } from '../../config/schema/kube-proxy-schema.ts';
import { NFTLANE_KIND } from '../../config/schema/nftlane-schema.ts';

/** How the text of a flag is converted to the value of its field. */
export type FlagType = 'text' | 'number' | 'boolean' | 'list' | 'gates';

export interface ConfigFlag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagValue['kind'];
  /** Path of the field; `*` is the mode's section: `nftables` in mode nftables, `iptables` otherwise. */
  readonly path: string;
  readonly type: FlagType;
  /** Name of the value in the help text; absent for a Boolean. */
  readonly placeholder?: string;
  /** Flags without help are accepted but hidden. */
  readonly help?: string;
  readonly short?: string;
  readonly env?: string;
  readonly choices?: readonly string[];
}

type FlagDetails = Omit<ConfigFlag, 'name' | 'kind' | 'path'>;

const kubeProxyFlag = (name: string, path: string, details: FlagDetails): ConfigFlag => ({
  name,
  kind: KUBE_PROXY_KIND,
  path,
  ...details,
});
const nftlaneFlag = (name: string, path: string, details: FlagDetails): ConfigFlag => ({
  name,
  kind: NFTLANE_KIND,
  path,
  ...details,
});

const DETECT_LOCAL_MODES = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'];

/** Flags of all commands that compile a ruleset. */
export const PROXY_FLAGS: readonly ConfigFlag[] = [
  kubeProxyFlag('node-name', 'hostnameOverride', {
    type: 'text',
    placeholder: 'name',
    env: 'NODE_NAME',
    help: 'name of this node (default: the host name)',
  }),
  kubeProxyFlag('hostname-override', 'hostnameOverride', {
    type: 'text',
    placeholder: 'name',
    help: 'alias of --node-name, as in kube-proxy',
  }),
  kubeProxyFlag('bind-address', 'bindAddress', {
    type: 'text',
    placeholder: 'ip',
    help: "overrides this node's address of its family (nothing binds to it)",
  }),
  kubeProxyFlag('cluster-cidr', 'clusterCIDR', {
    type: 'text',
    placeholder: 'cidrs',
    help: 'CIDR blocks of pods, at most one per family; traffic from other clients is masqueraded',
  }),
  kubeProxyFlag('detect-local-mode', 'detectLocalMode', {
    type: 'text',
    placeholder: 'mode',
    choices: DETECT_LOCAL_MODES,
    help: 'how to identify traffic from pods (default: ClusterCIDR)',
  }),
  kubeProxyFlag('pod-bridge-interface', 'detectLocal.bridgeInterface', {
    type: 'text',
    placeholder: 'name',
    help: 'bridge of the pods, for mode BridgeInterface',
  }),
  kubeProxyFlag('pod-interface-name-prefix', 'detectLocal.interfaceNamePrefix', {
    type: 'text',
    placeholder: 'prefix',
    help: 'prefix of pod interface names, for mode InterfaceNamePrefix',
  }),
  kubeProxyFlag('masquerade-all', '*.masqueradeAll', {
    type: 'boolean',
    help: 'masquerade all connections to cluster IPs',
  }),
  kubeProxyFlag('masquerade-bit', '*.masqueradeBit', {
    type: 'number',
    placeholder: 'bit',
    help: 'bit of the packet mark that requests masquerading (default: 14)',
  }),
  nftlaneFlag('strict-source-ranges', 'strictSourceRanges', {
    type: 'boolean',
    help: 'block a load balancer address if none of its source ranges is valid for its family, instead of leaving it open',
  }),
  nftlaneFlag('keep-route-source', 'keepRouteSource', {
    type: 'boolean',
    help: 'do not masquerade processes of this node whose source is the one that the route prefers, on links without it',
  }),
  nftlaneFlag('service-cluster-ip-range', 'serviceClusterIPRange', {
    type: 'list',
    placeholder: 'cidrs',
    help: 'CIDR blocks from which Services in manifests without a cluster IP get one, at most one per family (default: none)',
  }),
  kubeProxyFlag('nodeport-addresses', 'nodePortAddresses', {
    type: 'list',
    placeholder: 'list',
    help: 'addresses that accept node ports: "primary", "all", "localhost", or CIDR blocks (default: primary)',
  }),
  kubeProxyFlag('proxy-mode', 'mode', {
    type: 'text',
    placeholder: 'mode',
    help: 'mode whose configuration section is used; nftlane behaves the same in every mode',
  }),
];

/** Flags of kube-proxy that are accepted but hidden, because they have little or no effect in nftlane. */
const HIDDEN_FLAGS: readonly (readonly [name: string, path: string, type: FlagType, placeholder?: string])[] = [
  ['iptables-masquerade-bit', 'iptables.masqueradeBit', 'number', 'bit'],
  ['iptables-localhost-nodeports', 'iptables.localhostNodePorts', 'boolean'],
  ['iptables-sync-period', '*.syncPeriod', 'text', 'duration'],
  ['iptables-min-sync-period', '*.minSyncPeriod', 'text', 'duration'],
  ['ipvs-sync-period', 'ipvs.syncPeriod', 'text', 'duration'],
  ['ipvs-min-sync-period', 'ipvs.minSyncPeriod', 'text', 'duration'],
  ['ipvs-scheduler', 'ipvs.scheduler', 'text', 'name'],
  ['ipvs-exclude-cidrs', 'ipvs.excludeCIDRs', 'list', 'cidrs'],
  ['ipvs-strict-arp', 'ipvs.strictARP', 'boolean'],
  ['ipvs-tcp-timeout', 'ipvs.tcpTimeout', 'text', 'duration'],
  ['ipvs-tcpfin-timeout', 'ipvs.tcpFinTimeout', 'text', 'duration'],
  ['ipvs-udp-timeout', 'ipvs.udpTimeout', 'text', 'duration'],
  ['config-sync-period', 'configSyncPeriod', 'text', 'duration'],
  ['kube-api-content-type', 'clientConnection.contentType', 'text', 'type'],
  ['kube-api-qps', 'clientConnection.qps', 'number', 'number'],
  ['kube-api-burst', 'clientConnection.burst', 'number', 'number'],
  ['logging-format', 'logging.format', 'text', 'format'],
  ['log-flush-frequency', 'logging.flushFrequency', 'text', 'duration'],
  ['log-text-split-stream', 'logging.options.text.splitStream', 'boolean'],
  ['log-text-info-buffer-size', 'logging.options.text.infoBufferSize', 'text', 'size'],
  ['log-json-split-stream', 'logging.options.json.splitStream', 'boolean'],
  ['log-json-info-buffer-size', 'logging.options.json.infoBufferSize', 'text', 'size'],
  ['profiling', 'enableProfiling', 'boolean'],
  ['show-hidden-metrics-for-version', 'showHiddenMetricsForVersion', 'text', 'version'],
];

/** Flags of `run` only. */
export const RUN_FLAGS: readonly ConfigFlag[] = [
  nftlaneFlag('manifests', 'manifests', {
    type: 'text',
    placeholder: 'dir',
    help: 'read Services, EndpointSlices and Nodes from a directory of manifests, and watch it',
  }),
  kubeProxyFlag('kubeconfig', 'clientConnection.kubeconfig', {
    type: 'text',
    placeholder: 'file',
    help: 'kubeconfig of the API server (default: the service account of the pod)',
  }),
  nftlaneFlag('nft', 'programs.nft', {
    type: 'text',
    placeholder: 'program',
    env: 'NFTLANE_NFT',
    help: 'nft program, version 1.1 or later (default: nft)',
  }),
  nftlaneFlag('conntrack', 'programs.conntrack', {
    type: 'text',
    placeholder: 'program',
    env: 'NFTLANE_CONNTRACK',
    help: 'conntrack program, which removes stale conntrack entries (default: conntrack)',
  }),
  nftlaneFlag('run-dir', 'runDir', {
    type: 'text',
    placeholder: 'dir',
    help: 'directory of the admin socket and the state files (default: /run/nftlane)',
  }),
  nftlaneFlag('log-level', 'log.level', {
    type: 'text',
    placeholder: 'level',
    choices: ['debug', 'info', 'warn', 'error'],
    help: 'log level (default: info)',
  }),
  nftlaneFlag('log-format', 'log.format', {
    type: 'text',
    placeholder: 'format',
    choices: ['auto', 'json', 'text'],
    help: 'log format (default: auto)',
  }),
  kubeProxyFlag('v', 'logging.verbosity', {
    type: 'number',
    placeholder: 'number',
    short: 'v',
    help: 'log verbosity of kube-proxy; 4 and higher mean debug',
  }),
  nftlaneFlag('take-over', 'takeOver', {
    type: 'text',
    placeholder: 'mode',
    choices: ['auto', 'no'],
    help: 'whether to remove the rules of kube-proxy once those of nftlane are complete (default: auto)',
  }),
  nftlaneFlag('table-ownership', 'tableOwnership', {
    type: 'text',
    placeholder: 'mode',
    choices: ['auto', 'no'],
    help: 'whether to close the tables to other programs, where the kernel supports it (default: auto)',
  }),
  nftlaneFlag('fast-path', 'fastPath.mode', {
    type: 'text',
    placeholder: 'mode',
    choices: ['off', 'auto', 'required'],
    help: 'BPF fast path for external traffic to Services with externalTrafficPolicy Local (default: off)',
  }),
  nftlaneFlag('fast-path-uplinks', 'fastPath.uplinks', {
    type: 'list',
    placeholder: 'names',
    help: 'interfaces that receive external traffic (default: those with a default route)',
  }),
  nftlaneFlag('fast-path-dir', 'fastPath.directory', {
    type: 'text',
    placeholder: 'dir',
    env: 'NFTLANE_FAST_PATH_DIR',
    help: 'directory where the fast path pins its programs and maps (default: /sys/fs/bpf/nftlane/v1)',
  }),
  nftlaneFlag('fast-path-program', 'fastPath.program', {
    type: 'text',
    placeholder: 'program',
    help: 'loader program of the fast path (default: nftlane-bpf, beside nftlane or in PATH)',
  }),
  nftlaneFlag('fast-path-max-flows', 'fastPath.maxFlows', {
    type: 'number',
    placeholder: 'n',
    help: 'maximum number of fast path flows per family (default: 131072)',
  }),
  kubeProxyFlag('healthz-bind-address', 'healthzBindAddress', {
    type: 'text',
    placeholder: 'ip:port',
    help: 'address of the health server; empty disables it (default: 0.0.0.0:10256)',
  }),
  kubeProxyFlag('metrics-bind-address', 'metricsBindAddress', {
    type: 'text',
    placeholder: 'ip:port',
    help: 'address of the metrics server; empty disables it (default: 127.0.0.1:10249)',
  }),
  nftlaneFlag('metrics-connections', 'metrics.connections', {
    type: 'number',
    placeholder: 'n',
    help: 'number of busiest Service ports, and of endpoints, whose new connections are counted (default: 0)',
  }),
  kubeProxyFlag('bind-address-hard-fail', 'bindAddressHardFail', {
    type: 'boolean',
    help: 'exit if the health or metrics server cannot listen',
  }),
  kubeProxyFlag('feature-gates', 'featureGates', {
    type: 'gates',
    placeholder: 'gates',
    help: 'feature gates: Name=true,Name=false',
  }),
  kubeProxyFlag('oom-score-adj', 'oomScoreAdj', {
    type: 'number',
    placeholder: 'number',
    help: 'OOM score adjustment of the process (default: -999)',
  }),
  kubeProxyFlag('conntrack-max-per-core', 'conntrack.maxPerCore', {
    type: 'number',
    placeholder: 'number',
    help: 'conntrack table entries per core (default: 32768)',
  }),
  kubeProxyFlag('conntrack-min', 'conntrack.min', {
    type: 'number',
    placeholder: 'number',
    help: 'minimum size of the conntrack table (default: 131072)',
  }),
  kubeProxyFlag('conntrack-tcp-timeout-established', 'conntrack.tcpEstablishedTimeout', {
    type: 'text',
    placeholder: 'duration',
    help: 'conntrack timeout of established TCP connections (default: 24h)',
  }),
  kubeProxyFlag('conntrack-tcp-timeout-close-wait', 'conntrack.tcpCloseWaitTimeout', {
    type: 'text',
    placeholder: 'duration',
    help: 'conntrack timeout of TCP connections in CLOSE_WAIT (default: 1h)',
  }),
  kubeProxyFlag('conntrack-tcp-be-liberal', 'conntrack.tcpBeLiberal', {
    type: 'boolean',
    help: 'accept TCP segments outside the window',
  }),
  kubeProxyFlag('conntrack-udp-timeout', 'conntrack.udpTimeout', {
    type: 'text',
    placeholder: 'duration',
    help: 'conntrack timeout of unreplied UDP flows',
  }),
  kubeProxyFlag('conntrack-udp-timeout-stream', 'conntrack.udpStreamTimeout', {
    type: 'text',
    placeholder: 'duration',
    help: 'conntrack timeout of replied UDP flows',
  }),
  ...HIDDEN_FLAGS.map(([name, path, type, placeholder]) =>
    kubeProxyFlag(name, path, placeholder === undefined ? { type } : { type, placeholder }),
  ),
];
