// Flags that set fields of the configuration, as a table: the command line and its help are made of it.
import type { FlagValue } from '../../config/configuration.ts';
import { KUBE_PROXY_KIND } from '../../config/schema/kube-proxy-schema.ts';
import { NFTLANE_KIND } from '../../config/schema/nftlane-schema.ts';

/** How the text of a flag becomes the value of its field. */
export type Shape = 'text' | 'number' | 'boolean' | 'list' | 'gates';

export interface ConfigFlag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagValue['kind'];
  /** `*` is the section of the mode: `nftables` in mode nftables, `iptables` otherwise. */
  readonly path: string;
  readonly shape: Shape;
  /** What the value is called in the help; none for a boolean. */
  readonly value?: string;
  /** Flags without one are accepted and not shown. */
  readonly help?: string;
  readonly short?: string;
  readonly env?: string;
  readonly choices?: readonly string[];
}

const kube = (name: string, path: string, shape: Shape, rest: Partial<ConfigFlag> = {}): ConfigFlag => ({
  name,
  kind: KUBE_PROXY_KIND,
  path,
  shape,
  ...rest,
});
const own = (name: string, path: string, shape: Shape, rest: Partial<ConfigFlag> = {}): ConfigFlag => ({
  ...kube(name, path, shape, rest),
  kind: NFTLANE_KIND,
});

const DETECTION = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'];

/** What every command that compiles takes. */
export const PROXY_FLAGS: readonly ConfigFlag[] = [
  kube('node-name', 'hostnameOverride', 'text', {
    value: 'name',
    env: 'NODE_NAME',
    help: 'name of this node (default: the host name)',
  }),
  kube('hostname-override', 'hostnameOverride', 'text', {
    value: 'name',
    help: 'the same, by the name that kube-proxy has for it',
  }),
  kube('bind-address', 'bindAddress', 'text', {
    value: 'ip',
    help: 'stands for the address of this node of its family; nothing is bound to it',
  }),
  kube('cluster-cidr', 'clusterCIDR', 'text', {
    value: 'cidrs',
    help: 'where pods live, up to one block a family; clients from elsewhere are masqueraded',
  }),
  kube('detect-local-mode', 'detectLocalMode', 'text', {
    value: 'mode',
    choices: DETECTION,
    help: 'how a pod is told from other clients (default: ClusterCIDR)',
  }),
  kube('pod-bridge-interface', 'detectLocal.bridgeInterface', 'text', {
    value: 'name',
    help: 'the bridge that pods are on, for mode BridgeInterface',
  }),
  kube('pod-interface-name-prefix', 'detectLocal.interfaceNamePrefix', 'text', {
    value: 'prefix',
    help: 'how names of pod interfaces begin, for mode InterfaceNamePrefix',
  }),
  kube('masquerade-all', '*.masqueradeAll', 'boolean', { help: 'masquerade every connection to a cluster IP' }),
  kube('masquerade-bit', '*.masqueradeBit', 'number', {
    value: 'bit',
    help: 'bit of the packet mark that says "masquerade" (default: 14)',
  }),
  own('strict-source-ranges', 'strictSourceRanges', 'boolean', {
    help: 'close a load balancer address whose source ranges cannot be used in its family, instead of leaving it open',
  }),
  kube('nodeport-addresses', 'nodePortAddresses', 'list', {
    value: 'list',
    help: 'where node ports are taken: "primary", "all", "localhost", or blocks of addresses (default: primary)',
  }),
  kube('proxy-mode', 'mode', 'text', {
    value: 'mode',
    help: 'which section of the configuration is read; nftlane works the same in every mode',
  }),
];

/** What only `run` takes. */
export const RUN_FLAGS: readonly ConfigFlag[] = [
  own('manifests', 'manifests', 'text', {
    value: 'dir',
    help: 'take Services, EndpointSlices and Nodes from the files of a directory, and watch it',
  }),
  kube('kubeconfig', 'clientConnection.kubeconfig', 'text', {
    value: 'file',
    help: 'take them from this API server (default: the one this pod belongs to)',
  }),
  own('nft', 'programs.nft', 'text', {
    value: 'program',
    env: 'NFTLANE_NFT',
    help: 'the nft to use, 1.1 or newer (default: nft)',
  }),
  own('conntrack', 'programs.conntrack', 'text', {
    value: 'program',
    env: 'NFTLANE_CONNTRACK',
    help: 'the conntrack that removes stale UDP flows (default: conntrack)',
  }),
  own('run-dir', 'runDir', 'text', {
    value: 'dir',
    help: 'where the socket for inspection is (default: /run/nftlane)',
  }),
  own('log-level', 'log.level', 'text', {
    value: 'level',
    choices: ['debug', 'info', 'warn', 'error'],
    help: 'what to say (default: info)',
  }),
  own('log-format', 'log.format', 'text', {
    value: 'format',
    choices: ['auto', 'json', 'text'],
    help: 'how (default: auto)',
  }),
  kube('v', 'logging.verbosity', 'number', {
    value: 'number',
    short: 'v',
    help: 'what to say, as kube-proxy counts: from 4 on it is debug',
  }),
  own('take-over', 'takeOver', 'text', {
    value: 'whether',
    choices: ['auto', 'no'],
    help: "remove kube-proxy's rules once ours are complete (default: auto)",
  }),
  own('fast-path', 'fastPath.mode', 'text', {
    value: 'when',
    choices: ['off', 'auto', 'required'],
    help: 'lead traffic from outside to Services with the Local policy past the rules (default: off)',
  }),
  own('fast-path-uplinks', 'fastPath.uplinks', 'list', {
    value: 'names',
    help: 'interfaces that traffic from outside comes in by (default: those with a default route)',
  }),
  own('fast-path-dir', 'fastPath.directory', 'text', {
    value: 'dir',
    env: 'NFTLANE_FAST_PATH_DIR',
    help: 'where its programs and maps are pinned (default: /sys/fs/bpf/nftlane/v1)',
  }),
  own('fast-path-program', 'fastPath.program', 'text', {
    value: 'program',
    help: 'what loads it (default: nftlane-bpf, beside nftlane or in PATH)',
  }),
  own('fast-path-max-flows', 'fastPath.maxFlows', 'number', {
    value: 'n',
    help: 'how many flows of each family it can lead at a time (default: 131072)',
  }),
  kube('healthz-bind-address', 'healthzBindAddress', 'text', {
    value: 'ip:port',
    help: 'where health is served; empty: nowhere (default: 0.0.0.0:10256)',
  }),
  kube('metrics-bind-address', 'metricsBindAddress', 'text', {
    value: 'ip:port',
    help: 'where metrics are served; empty: nowhere (default: 127.0.0.1:10249)',
  }),
  own('metrics-connections', 'metrics.connections', 'number', {
    value: 'n',
    help: 'count new connections of the n busiest Service ports, and of as many endpoints (default: 0)',
  }),
  kube('bind-address-hard-fail', 'bindAddressHardFail', 'boolean', {
    help: 'end when one of these servers cannot listen',
  }),
  kube('feature-gates', 'featureGates', 'gates', { value: 'gates', help: 'Name=true,Name=false' }),
  kube('oom-score-adj', 'oomScoreAdj', 'number', {
    value: 'number',
    help: 'how unlikely the kernel ends the process (default: -999)',
  }),
  kube('conntrack-max-per-core', 'conntrack.maxPerCore', 'number', {
    value: 'number',
    help: 'entries of the conntrack table for each core (default: 32768)',
  }),
  kube('conntrack-min', 'conntrack.min', 'number', {
    value: 'number',
    help: 'the least size of the conntrack table (default: 131072)',
  }),
  kube('conntrack-tcp-timeout-established', 'conntrack.tcpEstablishedTimeout', 'text', {
    value: 'duration',
    help: 'for idle TCP connections (default: 24h)',
  }),
  kube('conntrack-tcp-timeout-close-wait', 'conntrack.tcpCloseWaitTimeout', 'text', {
    value: 'duration',
    help: 'for half-closed ones (default: 1h)',
  }),
  kube('conntrack-tcp-be-liberal', 'conntrack.tcpBeLiberal', 'boolean', {
    help: 'let TCP segments outside of the window pass',
  }),
  kube('conntrack-udp-timeout', 'conntrack.udpTimeout', 'text', {
    value: 'duration',
    help: 'for UDP flows without an answer',
  }),
  kube('conntrack-udp-timeout-stream', 'conntrack.udpStreamTimeout', 'text', {
    value: 'duration',
    help: 'for UDP flows with answers',
  }),
  kube('iptables-masquerade-bit', 'iptables.masqueradeBit', 'number', { value: 'bit' }),
  kube('iptables-localhost-nodeports', 'iptables.localhostNodePorts', 'boolean'),
  kube('iptables-sync-period', '*.syncPeriod', 'text', { value: 'duration' }),
  kube('iptables-min-sync-period', '*.minSyncPeriod', 'text', { value: 'duration' }),
  kube('ipvs-sync-period', 'ipvs.syncPeriod', 'text', { value: 'duration' }),
  kube('ipvs-min-sync-period', 'ipvs.minSyncPeriod', 'text', { value: 'duration' }),
  kube('ipvs-scheduler', 'ipvs.scheduler', 'text', { value: 'name' }),
  kube('ipvs-exclude-cidrs', 'ipvs.excludeCIDRs', 'list', { value: 'cidrs' }),
  kube('ipvs-strict-arp', 'ipvs.strictARP', 'boolean'),
  kube('ipvs-tcp-timeout', 'ipvs.tcpTimeout', 'text', { value: 'duration' }),
  kube('ipvs-tcpfin-timeout', 'ipvs.tcpFinTimeout', 'text', { value: 'duration' }),
  kube('ipvs-udp-timeout', 'ipvs.udpTimeout', 'text', { value: 'duration' }),
  kube('config-sync-period', 'configSyncPeriod', 'text', { value: 'duration' }),
  kube('kube-api-content-type', 'clientConnection.contentType', 'text', { value: 'type' }),
  kube('kube-api-qps', 'clientConnection.qps', 'number', { value: 'number' }),
  kube('kube-api-burst', 'clientConnection.burst', 'number', { value: 'number' }),
  kube('logging-format', 'logging.format', 'text', { value: 'format' }),
  kube('log-flush-frequency', 'logging.flushFrequency', 'text', { value: 'duration' }),
  kube('log-text-split-stream', 'logging.options.text.splitStream', 'boolean'),
  kube('log-text-info-buffer-size', 'logging.options.text.infoBufferSize', 'text', { value: 'size' }),
  kube('log-json-split-stream', 'logging.options.json.splitStream', 'boolean'),
  kube('log-json-info-buffer-size', 'logging.options.json.infoBufferSize', 'text', { value: 'size' }),
  kube('profiling', 'enableProfiling', 'boolean'),
  kube('show-hidden-metrics-for-version', 'showHiddenMetricsForVersion', 'text', { value: 'version' }),
];
