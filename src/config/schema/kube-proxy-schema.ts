// Schema of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), with the effect of each field in nftlane.

import * as z from 'zod/mini';
import { BOOLEAN, DURATION, field, STRING, STRING_LIST, type WithDefaults } from './field.ts';
import { IPTABLES_SECTION, IPVS_SECTION, NFTABLES_SECTION, WINDOWS, WINKERNEL_SECTION } from './kube-proxy-modes.ts';

export const KUBE_PROXY_API_VERSION = 'kubeproxy.config.k8s.io/v1alpha1';
export const KUBE_PROXY_KIND = 'KubeProxyConfiguration';

const JSON_ONLY = 'None: nftlane uses JSON.';
const LOG_UNBUFFERED = 'None: the log is not buffered.';

const nonNegativeInt = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));

const logOptions = z.strictObject({
  splitStream: field(BOOLEAN, {
    description: 'Write errors to standard error and other messages to standard output.',
    default: false,
    effect: LOG_UNBUFFERED,
  }),
  infoBufferSize: field(z.union([STRING, z.number()]), {
    description: 'Size of the log buffer.',
    default: '0',
    effect: LOG_UNBUFFERED,
  }),
});

const logging = z.strictObject({
  format: field(STRING, {
    description: 'Log format: `text` or `json`.',
    default: 'text',
    effect: '`text` is text on a terminal and JSON otherwise. `log.format` of NftlaneConfiguration takes precedence.',
  }),
  flushFrequency: field(z.union([DURATION, z.number()]), {
    description: 'Interval of log flushes.',
    default: '5s',
    effect: LOG_UNBUFFERED,
  }),
  verbosity: field(nonNegativeInt, {
    description: 'Log verbosity.',
    default: 0,
    effect: '4 and higher mean log level `debug`. `log.level` of NftlaneConfiguration takes precedence.',
  }),
  vmodule: field(z.array(z.strictObject({ filePattern: STRING, verbosity: nonNegativeInt })), {
    description: 'Log verbosity of individual source files.',
    default: [],
    effect: 'None: nftlane has different source files.',
  }),
  options: field(
    z.strictObject({
      text: field(logOptions, { description: 'Options of the text format.' }),
      json: field(logOptions, { description: 'Options of the JSON format.' }),
    }),
    { description: 'Options of the log formats. They require the feature gate LoggingAlphaOptions.' },
  ),
});

const clientConnection = z.strictObject({
  kubeconfig: field(STRING, {
    description: 'Path of a kubeconfig. Empty: the service account of this pod.',
    default: '',
  }),
  acceptContentTypes: field(STRING, {
    description: 'Content types accepted from the API server.',
    default: '',
    effect: JSON_ONLY,
  }),
  contentType: field(STRING, {
    description: 'Content type of requests to the API server.',
    default: 'application/vnd.kubernetes.protobuf',
    effect: JSON_ONLY,
  }),
  qps: field(z.number(), {
    description: 'Maximum number of requests per second.',
    default: 5,
    effect: 'None: four watches need no rate limit.',
  }),
  burst: field(nonNegativeInt, { description: 'Maximum burst of requests.', default: 10, effect: 'None, like `qps`.' }),
});

const detectLocal = z.strictObject({
  bridgeInterface: field(STRING, {
    description: 'Bridge of the pods, for mode BridgeInterface.',
    default: '',
  }),
  interfaceNamePrefix: field(STRING, {
    description: 'Prefix of pod interface names, for mode InterfaceNamePrefix.',
    default: '',
  }),
});

const conntrack = z.strictObject({
  maxPerCore: field(nonNegativeInt, {
    description: 'Conntrack table entries per core. 0 keeps the current table size.',
    default: 32768,
    keepsZero: true,
  }),
  min: field(nonNegativeInt, {
    description: 'Minimum size of the conntrack table.',
    default: 131072,
    keepsZero: true,
  }),
  tcpEstablishedTimeout: field(DURATION, {
    description: 'Conntrack timeout of established TCP connections. 0 keeps the current value.',
    default: '24h0m0s',
    keepsZero: true,
  }),
  tcpCloseWaitTimeout: field(DURATION, {
    description: 'Conntrack timeout of TCP connections in CLOSE_WAIT. 0 keeps the current value.',
    default: '1h0m0s',
    keepsZero: true,
  }),
  tcpBeLiberal: field(BOOLEAN, {
    description:
      'Accept TCP segments outside the window. `false` keeps the current value. If it is 1 in the kernel, no segment is dropped as invalid.',
    default: false,
  }),
  udpTimeout: field(DURATION, {
    description: 'Conntrack timeout of unreplied UDP flows. 0 keeps the current value.',
    default: '0s',
  }),
  udpStreamTimeout: field(DURATION, {
    description: 'Conntrack timeout of replied UDP flows. 0 keeps the current value.',
    default: '0s',
  }),
});

/** The schema of the document. Unknown fields are reported and ignored. */
export const KUBE_PROXY_SCHEMA = z.strictObject({
  apiVersion: z.literal(KUBE_PROXY_API_VERSION),
  kind: z.literal(KUBE_PROXY_KIND),
  featureGates: field(z.record(STRING, BOOLEAN), {
    description: 'Feature gates by name.',
    default: {},
    effect:
      'A locked gate can only be set to its default. All other names are accepted; gates without effect are reported.',
  }),
  clientConnection: field(clientConnection, { description: 'Connection to the API server.' }),
  logging: field(logging, { description: 'The log, written to standard error.' }),
  hostnameOverride: field(STRING, {
    description: 'Name of this node, converted to lower case. Empty: the host name.',
    default: '',
  }),
  bindAddress: field(STRING, {
    description:
      "Overrides this node's address of its family, and selects the family of the default server addresses. 0.0.0.0 and :: have no effect.",
    default: '0.0.0.0',
    effect: 'Nothing binds to it.',
  }),
  healthzBindAddress: field(STRING, {
    description: 'Address of the health server: `IP` or `IP:port`. 0.0.0.0 and :: serve both families.',
    default: '0.0.0.0:10256',
    effect:
      'Empty means the default; `serveHealth: false` in NftlaneConfiguration disables the server. With an IPv6 `bindAddress` the default is [::]:10256.',
  }),
  metricsBindAddress: field(STRING, {
    description: 'Address of the metrics server: `IP` or `IP:port`. 0.0.0.0 and :: serve both families.',
    default: '127.0.0.1:10249',
    effect:
      'Empty means the default; `serveMetrics: false` in NftlaneConfiguration disables the server. With an IPv6 `bindAddress` the default is [::1]:10249.',
  }),
  bindAddressHardFail: field(BOOLEAN, {
    description: 'Exit if one of these servers cannot listen, instead of retrying.',
    default: false,
  }),
  enableProfiling: field(BOOLEAN, {
    description: 'Serve Go profiles at the metrics server.',
    default: false,
    effect: 'None: nftlane is not a Go program.',
  }),
  showHiddenMetricsForVersion: field(STRING, {
    description: 'Show metrics that this version hides.',
    default: '',
    effect: 'None: nftlane hides no metrics.',
  }),
  mode: field(z.enum(['', 'iptables', 'ipvs', 'nftables']), {
    description: 'Proxy mode.',
    default: 'iptables',
    effect: 'Selects the section below that is used. nftlane behaves the same in every mode.',
  }),
  iptables: field(IPTABLES_SECTION, { description: 'Settings of mode iptables.' }),
  ipvs: field(IPVS_SECTION, { description: 'Settings of mode ipvs.' }),
  nftables: field(NFTABLES_SECTION, { description: 'Settings of mode nftables.' }),
  winkernel: field(WINKERNEL_SECTION, { description: 'Settings for Windows.' }),
  detectLocalMode: field(z.enum(['', 'ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']), {
    description:
      'How to identify traffic from pods: by the CIDR blocks in `clusterCIDR`, by the podCIDRs of the Node, or by the input interface.',
    default: 'ClusterCIDR',
  }),
  detectLocal: field(detectLocal, { description: 'Interface names for `detectLocalMode`.' }),
  clusterCIDR: field(STRING, {
    description:
      'CIDR blocks of pods: one, or one per family separated by a comma without spaces. Traffic from other clients is masqueraded. Used in mode ClusterCIDR. Empty: clients are not distinguished.',
    default: '',
  }),
  nodePortAddresses: field(STRING_LIST, {
    description:
      'Addresses that accept node ports: CIDR blocks and the keywords `primary` (the addresses of the Node), `all` (all addresses except loopback) and `localhost` (127.0.0.1).',
    default: ['primary'],
    effect:
      'The default is `primary` in every mode. Keywords and blocks can be combined. A family without an entry in the list accepts node ports at all addresses except loopback.',
  }),
  oomScoreAdj: field(z.int().check(z.minimum(-1000), z.maximum(1000)), {
    description: 'OOM score adjustment of the process.',
    default: -999,
    keepsZero: true,
  }),
  conntrack: field(conntrack, { description: 'Connection tracking in the kernel.' }),
  configSyncPeriod: field(DURATION, {
    description: 'Resync interval of objects.',
    default: '15m0s',
    effect: 'None: nftlane does not resync objects.',
  }),
  portRange: field(STRING, {
    description: 'Port range of the removed mode userspace.',
    default: '',
    effect: 'None, like in kube-proxy.',
  }),
  windowsRunAsService: field(BOOLEAN, { description: 'Run as a Windows service.', default: false, effect: WINDOWS }),
});

/** A document before defaults are applied. */
export type KubeProxyDocument = z.infer<typeof KUBE_PROXY_SCHEMA>;

/** A document with its defaults. */
export type KubeProxyConfiguration = WithDefaults<KubeProxyDocument>;
