// Flags that set fields of the configuration, as a table: the command line and its help are made of it.
import type { FlagValue } from '../../config/configuration.ts';
import { KUBE_PROXY_KIND } from '../../config/schema/kube-proxy-schema.ts';
import { NFTLANE_KIND } from '../../config/schema/nftlane-schema.ts';

/** How the text of a flag becomes the value of its field. */
export type FlagType = 'text' | 'number' | 'boolean' | 'list' | 'gates';

export interface ConfigFlag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagValue['kind'];
  /** `*` is the section of the mode: `nftables` in mode nftables, `iptables` otherwise. */
  readonly path: string;
  readonly type: FlagType;
  /** What the value is called in the help; none for a boolean. */
  readonly placeholder?: string;
  /** Flags without one are accepted and not shown. */
  readonly help?: string;
  readonly short?: string;
  readonly env?: string;
  readonly choices?: readonly string[];
}

const kubeProxyFlag = (name: string, path: string, type: FlagType, rest: Partial<ConfigFlag> = {}): ConfigFlag => ({
  name,
  kind: KUBE_PROXY_KIND,
  path,
  type,
  ...rest,
});
const nftlaneFlag = (name: string, path: string, type: FlagType, rest: Partial<ConfigFlag> = {}): ConfigFlag => ({
  ...kubeProxyFlag(name, path, type, rest),
  kind: NFTLANE_KIND,
});

const DETECT_LOCAL_MODES = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'];

/** What every command that compiles takes. */
export const PROXY_FLAGS: readonly ConfigFlag[] = [
  kubeProxyFlag('node-name', 'hostnameOverride', 'text', {
    placeholder: 'name',
    env: 'NODE_NAME',
    help: 'name of this node (default: the host name)',
  }),
  kubeProxyFlag('hostname-override', 'hostnameOverride', 'text', {
    placeholder: 'name',
    help: 'the same, by the name that kube-proxy has for it',
  }),
  kubeProxyFlag('bind-address', 'bindAddress', 'text', {
    placeholder: 'ip',
    help: 'stands for the address of this node of its family; nothing is bound to it',
  }),
  kubeProxyFlag('cluster-cidr', 'clusterCIDR', 'text', {
    placeholder: 'cidrs',
    help: 'where pods live, up to one block a family; clients from elsewhere are masqueraded',
  }),
  kubeProxyFlag('detect-local-mode', 'detectLocalMode', 'text', {
    placeholder: 'mode',
    choices: DETECT_LOCAL_MODES,
    help: 'how a pod is told from other clients (default: ClusterCIDR)',
  }),
  kubeProxyFlag('pod-bridge-interface', 'detectLocal.bridgeInterface', 'text', {
    placeholder: 'name',
    help: 'the bridge that pods are on, for mode BridgeInterface',
  }),
  kubeProxyFlag('pod-interface-name-prefix', 'detectLocal.interfaceNamePrefix', 'text', {
    placeholder: 'prefix',
    help: 'how names of pod interfaces begin, for mode InterfaceNamePrefix',
  }),
  kubeProxyFlag('masquerade-all', '*.masqueradeAll', 'boolean', {
    help: 'masquerade every connection to a cluster IP',
  }),
  kubeProxyFlag('masquerade-bit', '*.masqueradeBit', 'number', {
    placeholder: 'bit',
    help: 'bit of the packet mark that says "masquerade" (default: 14)',
  }),
  nftlaneFlag('strict-source-ranges', 'strictSourceRanges', 'boolean', {
    help: 'close a load balancer address whose source ranges cannot be used in its family, instead of leaving it open',
  }),
  kubeProxyFlag('nodeport-addresses', 'nodePortAddresses', 'list', {
    placeholder: 'list',
    help: 'where node ports are taken: "primary", "all", "localhost", or blocks of addresses (default: primary)',
  }),
  kubeProxyFlag('proxy-mode', 'mode', 'text', {
    placeholder: 'mode',
    help: 'which section of the configuration is read; nftlane works the same in every mode',
  }),
];

/** What only `run` takes. */
export const RUN_FLAGS: readonly ConfigFlag[] = [
  nftlaneFlag('manifests', 'manifests', 'text', {
    placeholder: 'dir',
    help: 'take Services, EndpointSlices and Nodes from the files of a directory, and watch it',
  }),
  kubeProxyFlag('kubeconfig', 'clientConnection.kubeconfig', 'text', {
    placeholder: 'file',
    help: 'take them from this API server (default: the one this pod belongs to)',
  }),
  nftlaneFlag('nft', 'programs.nft', 'text', {
    placeholder: 'program',
    env: 'NFTLANE_NFT',
    help: 'the nft to use, 1.1 or newer (default: nft)',
  }),
  nftlaneFlag('conntrack', 'programs.conntrack', 'text', {
    placeholder: 'program',
    env: 'NFTLANE_CONNTRACK',
    help: 'the conntrack that removes stale UDP flows (default: conntrack)',
  }),
  nftlaneFlag('run-dir', 'runDir', 'text', {
    placeholder: 'dir',
    help: 'where the socket for inspection is (default: /run/nftlane)',
  }),
  nftlaneFlag('log-level', 'log.level', 'text', {
    placeholder: 'level',
    choices: ['debug', 'info', 'warn', 'error'],
    help: 'what to say (default: info)',
  }),
  nftlaneFlag('log-format', 'log.format', 'text', {
    placeholder: 'format',
    choices: ['auto', 'json', 'text'],
    help: 'how (default: auto)',
  }),
  kubeProxyFlag('v', 'logging.verbosity', 'number', {
    placeholder: 'number',
    short: 'v',
    help: 'what to say, as kube-proxy counts: from 4 on it is debug',
  }),
  nftlaneFlag('take-over', 'takeOver', 'text', {
    placeholder: 'whether',
    choices: ['auto', 'no'],
    help: "remove kube-proxy's rules once ours are complete (default: auto)",
  }),
  nftlaneFlag('fast-path', 'fastPath.mode', 'text', {
    placeholder: 'when',
    choices: ['off', 'auto', 'required'],
    help: 'lead traffic from outside to Services with the Local policy past the rules (default: off)',
  }),
  nftlaneFlag('fast-path-uplinks', 'fastPath.uplinks', 'list', {
    placeholder: 'names',
    help: 'interfaces that traffic from outside comes in by (default: those with a default route)',
  }),
  nftlaneFlag('fast-path-dir', 'fastPath.directory', 'text', {
    placeholder: 'dir',
    env: 'NFTLANE_FAST_PATH_DIR',
    help: 'where its programs and maps are pinned (default: /sys/fs/bpf/nftlane/v1)',
  }),
  nftlaneFlag('fast-path-program', 'fastPath.program', 'text', {
    placeholder: 'program',
    help: 'what loads it (default: nftlane-bpf, beside nftlane or in PATH)',
  }),
  nftlaneFlag('fast-path-max-flows', 'fastPath.maxFlows', 'number', {
    placeholder: 'n',
    help: 'how many flows of each family it can lead at a time (default: 131072)',
  }),
  kubeProxyFlag('healthz-bind-address', 'healthzBindAddress', 'text', {
    placeholder: 'ip:port',
    help: 'where health is served; empty: nowhere (default: 0.0.0.0:10256)',
  }),
  kubeProxyFlag('metrics-bind-address', 'metricsBindAddress', 'text', {
    placeholder: 'ip:port',
    help: 'where metrics are served; empty: nowhere (default: 127.0.0.1:10249)',
  }),
  nftlaneFlag('metrics-connections', 'metrics.connections', 'number', {
    placeholder: 'n',
    help: 'count new connections of the n busiest Service ports, and of as many endpoints (default: 0)',
  }),
  kubeProxyFlag('bind-address-hard-fail', 'bindAddressHardFail', 'boolean', {
    help: 'end when one of these servers cannot listen',
  }),
  kubeProxyFlag('feature-gates', 'featureGates', 'gates', { placeholder: 'gates', help: 'Name=true,Name=false' }),
  kubeProxyFlag('oom-score-adj', 'oomScoreAdj', 'number', {
    placeholder: 'number',
    help: 'how unlikely the kernel ends the process (default: -999)',
  }),
  kubeProxyFlag('conntrack-max-per-core', 'conntrack.maxPerCore', 'number', {
    placeholder: 'number',
    help: 'entries of the conntrack table for each core (default: 32768)',
  }),
  kubeProxyFlag('conntrack-min', 'conntrack.min', 'number', {
    placeholder: 'number',
    help: 'the least size of the conntrack table (default: 131072)',
  }),
  kubeProxyFlag('conntrack-tcp-timeout-established', 'conntrack.tcpEstablishedTimeout', 'text', {
    placeholder: 'duration',
    help: 'for idle TCP connections (default: 24h)',
  }),
  kubeProxyFlag('conntrack-tcp-timeout-close-wait', 'conntrack.tcpCloseWaitTimeout', 'text', {
    placeholder: 'duration',
    help: 'for half-closed ones (default: 1h)',
  }),
  kubeProxyFlag('conntrack-tcp-be-liberal', 'conntrack.tcpBeLiberal', 'boolean', {
    help: 'let TCP segments outside of the window pass',
  }),
  kubeProxyFlag('conntrack-udp-timeout', 'conntrack.udpTimeout', 'text', {
    placeholder: 'duration',
    help: 'for UDP flows without an answer',
  }),
  kubeProxyFlag('conntrack-udp-timeout-stream', 'conntrack.udpStreamTimeout', 'text', {
    placeholder: 'duration',
    help: 'for UDP flows with answers',
  }),
  kubeProxyFlag('iptables-masquerade-bit', 'iptables.masqueradeBit', 'number', { placeholder: 'bit' }),
  kubeProxyFlag('iptables-localhost-nodeports', 'iptables.localhostNodePorts', 'boolean'),
  kubeProxyFlag('iptables-sync-period', '*.syncPeriod', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('iptables-min-sync-period', '*.minSyncPeriod', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('ipvs-sync-period', 'ipvs.syncPeriod', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('ipvs-min-sync-period', 'ipvs.minSyncPeriod', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('ipvs-scheduler', 'ipvs.scheduler', 'text', { placeholder: 'name' }),
  kubeProxyFlag('ipvs-exclude-cidrs', 'ipvs.excludeCIDRs', 'list', { placeholder: 'cidrs' }),
  kubeProxyFlag('ipvs-strict-arp', 'ipvs.strictARP', 'boolean'),
  kubeProxyFlag('ipvs-tcp-timeout', 'ipvs.tcpTimeout', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('ipvs-tcpfin-timeout', 'ipvs.tcpFinTimeout', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('ipvs-udp-timeout', 'ipvs.udpTimeout', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('config-sync-period', 'configSyncPeriod', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('kube-api-content-type', 'clientConnection.contentType', 'text', { placeholder: 'type' }),
  kubeProxyFlag('kube-api-qps', 'clientConnection.qps', 'number', { placeholder: 'number' }),
  kubeProxyFlag('kube-api-burst', 'clientConnection.burst', 'number', { placeholder: 'number' }),
  kubeProxyFlag('logging-format', 'logging.format', 'text', { placeholder: 'format' }),
  kubeProxyFlag('log-flush-frequency', 'logging.flushFrequency', 'text', { placeholder: 'duration' }),
  kubeProxyFlag('log-text-split-stream', 'logging.options.text.splitStream', 'boolean'),
  kubeProxyFlag('log-text-info-buffer-size', 'logging.options.text.infoBufferSize', 'text', { placeholder: 'size' }),
  kubeProxyFlag('log-json-split-stream', 'logging.options.json.splitStream', 'boolean'),
  kubeProxyFlag('log-json-info-buffer-size', 'logging.options.json.infoBufferSize', 'text', { placeholder: 'size' }),
  kubeProxyFlag('profiling', 'enableProfiling', 'boolean'),
  kubeProxyFlag('show-hidden-metrics-for-version', 'showHiddenMetricsForVersion', 'text', { placeholder: 'version' }),
];
