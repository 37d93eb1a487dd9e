// KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1): its fields, and what nftlane makes of each.
import * as z from 'zod/mini';
import { BOOLEAN, DURATION, field, STRING, STRING_LIST, type WithDefaults } from './field.ts';
import { IPTABLES_SECTION, IPVS_SECTION, NFTABLES_SECTION, WINDOWS, WINKERNEL_SECTION } from './kube-proxy-modes.ts';

export const KUBE_PROXY_API_VERSION = 'kubeproxy.config.k8s.io/v1alpha1';
export const KUBE_PROXY_KIND = 'KubeProxyConfiguration';

const JSON_ONLY = 'None: nftlane speaks JSON with the API server.';
const LOG_UNBUFFERED = 'None: each line of the log is written at once.';

const nonNegativeInt = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));

const logOptions = z.strictObject({
  splitStream: field(BOOLEAN, {
    description: 'Errors to standard error, the rest to standard output.',
    default: false,
    effect: LOG_UNBUFFERED,
  }),
  infoBufferSize: field(z.union([STRING, z.number()]), {
    description: 'How much of the log is held back.',
    default: '0',
    effect: LOG_UNBUFFERED,
  }),
});

const logging = z.strictObject({
  format: field(STRING, {
    description: 'Form of the log: `text` or `json`.',
    default: 'text',
    effect: '`text` is text on a terminal, and JSON otherwise. `log.format` of NftlaneConfiguration goes first.',
  }),
  flushFrequency: field(z.union([DURATION, z.number()]), {
    description: 'How often the log is written.',
    default: '5s',
    effect: LOG_UNBUFFERED,
  }),
  verbosity: field(nonNegativeInt, {
    description: 'How much is said.',
    default: 0,
    effect: 'From 4 on the level is `debug`. `log.level` of NftlaneConfiguration goes first.',
  }),
  vmodule: field(z.array(z.strictObject({ filePattern: STRING, verbosity: nonNegativeInt })), {
    description: 'Verbosity of single source files.',
    default: [],
    effect: 'None: nftlane has other source files.',
  }),
  options: field(
    z.strictObject({
      text: field(logOptions, { description: 'Of the text form.' }),
      json: field(logOptions, { description: 'Of the JSON form.' }),
    }),
    { description: 'Options of a form. Taken only with the feature gate LoggingAlphaOptions.' },
  ),
});

const clientConnection = z.strictObject({
  kubeconfig: field(STRING, {
    description: 'Path of a kubeconfig. Empty: the service account of this pod.',
    default: '',
  }),
  acceptContentTypes: field(STRING, {
    description: 'What the API server may answer with.',
    default: '',
    effect: JSON_ONLY,
  }),
  contentType: field(STRING, {
    description: 'What is sent to the API server.',
    default: 'application/vnd.kubernetes.protobuf',
    effect: JSON_ONLY,
  }),
  qps: field(z.number(), {
    description: 'Requests in a second.',
    default: 5,
    effect: 'None: four watches make no requests worth a limit.',
  }),
  burst: field(nonNegativeInt, { description: 'Requests at once.', default: 10, effect: 'None, as `qps`.' }),
});

const detectLocal = z.strictObject({
  bridgeInterface: field(STRING, {
    description: 'The bridge that pods are on, for mode BridgeInterface.',
    default: '',
  }),
  interfaceNamePrefix: field(STRING, {
    description: 'How names of pod interfaces begin, for mode InterfaceNamePrefix.',
    default: '',
  }),
});

const conntrack = z.strictObject({
  maxPerCore: field(nonNegativeInt, {
    description: 'Entries of the conntrack table for each core. 0 leaves its size alone.',
    default: 32768,
    keepsZero: true,
  }),
  min: field(nonNegativeInt, {
    description: 'The least size of the conntrack table.',
    default: 131072,
    keepsZero: true,
  }),
  tcpEstablishedTimeout: field(DURATION, {
    description: 'How long idle TCP connections are kept. 0 leaves it alone.',
    default: '24h0m0s',
    keepsZero: true,
  }),
  tcpCloseWaitTimeout: field(DURATION, {
    description: 'How long half-closed TCP connections are kept. 0 leaves it alone.',
    default: '1h0m0s',
    keepsZero: true,
  }),
  tcpBeLiberal: field(BOOLEAN, {
    description: 'Let TCP segments outside of the window pass. `false` leaves it alone.',
    default: false,
  }),
  udpTimeout: field(DURATION, {
    description: 'How long UDP flows without an answer are kept. 0 leaves it alone.',
    default: '0s',
  }),
  udpStreamTimeout: field(DURATION, {
    description: 'How long UDP flows with answers are kept. 0 leaves it alone.',
    default: '0s',
  }),
});

/** The file as it may be given. Unknown fields are reported and passed over. */
export const KUBE_PROXY_SCHEMA = z.strictObject({
  apiVersion: z.literal(KUBE_PROXY_API_VERSION),
  kind: z.literal(KUBE_PROXY_KIND),
  featureGates: field(z.record(STRING, BOOLEAN), {
    description: 'Feature gates by name.',
    default: {},
    effect:
      'Gates that cannot be turned off are held to that. Every other name is accepted; it has no effect, and is reported if it is not known here.',
  }),
  clientConnection: field(clientConnection, { description: 'The way to the API server.' }),
  logging: field(logging, { description: 'The log, which is on standard error.' }),
  hostnameOverride: field(STRING, {
    description: 'Name of this node. Empty: the name of the host. In lower case either way.',
    default: '',
  }),
  bindAddress: field(STRING, {
    description:
      'Stands for the address of this node of its family, and chooses the family of the default server addresses. 0.0.0.0 and :: say nothing.',
    default: '0.0.0.0',
    effect: 'Nothing is bound to it.',
  }),
  healthzBindAddress: field(STRING, {
    description: 'Where health is served: `IP` or `IP:port`.',
    default: '0.0.0.0:10256',
    effect:
      'Empty means the default; `serveHealth: false` in NftlaneConfiguration turns the server off. With an IPv6 `bindAddress` the default is [::]:10256.',
  }),
  metricsBindAddress: field(STRING, {
    description: 'Where metrics are served: `IP` or `IP:port`.',
    default: '127.0.0.1:10249',
    effect:
      'Empty means the default; `serveMetrics: false` in NftlaneConfiguration turns the server off. With an IPv6 `bindAddress` the default is [::1]:10249.',
  }),
  bindAddressHardFail: field(BOOLEAN, {
    description: 'End when one of these servers cannot listen, instead of trying again.',
    default: false,
  }),
  enableProfiling: field(BOOLEAN, {
    description: 'Go profiles at the metrics server.',
    default: false,
    effect: 'None: this is no Go program.',
  }),
  showHiddenMetricsForVersion: field(STRING, {
    description: 'Metrics that a version hid.',
    default: '',
    effect: 'None: no metric is hidden.',
  }),
  mode: field(z.enum(['', 'iptables', 'ipvs', 'nftables']), {
    description: 'How kube-proxy proxies.',
    default: 'iptables',
    effect: 'It chooses which of the sections below is read. nftlane works the same in every mode.',
  }),
  iptables: field(IPTABLES_SECTION, { description: 'The section of mode iptables.' }),
  ipvs: field(IPVS_SECTION, { description: 'The section of mode ipvs.' }),
  nftables: field(NFTABLES_SECTION, { description: 'The section of mode nftables.' }),
  winkernel: field(WINKERNEL_SECTION, { description: 'The section of Windows.' }),
  detectLocalMode: field(z.enum(['', 'ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']), {
    description:
      'How a pod is told from other clients: by the blocks in `clusterCIDR`, by the podCIDRs of the Node, or by the interface that it sends through.',
    default: 'ClusterCIDR',
  }),
  detectLocal: field(detectLocal, { description: 'Names for `detectLocalMode`.' }),
  clusterCIDR: field(STRING, {
    description:
      'Where pods live: one block, or one of each family behind a comma without blanks. Clients from elsewhere are masqueraded. Read in mode ClusterCIDR; empty: no client is told from another.',
    default: '',
  }),
  nodePortAddresses: field(STRING_LIST, {
    description:
      'Where node ports are taken: blocks of addresses, and the words `primary` (the addresses of the Node), `all` (every address but loopback) and `localhost` (127.0.0.1).',
    default: ['primary'],
    effect:
      'The default is `primary` in every mode. Words and blocks may be mixed. A family that nothing in the list is about takes node ports at every address but loopback.',
  }),
  oomScoreAdj: field(z.int().check(z.minimum(-1000), z.maximum(1000)), {
    description: 'How unlikely the kernel ends the process for want of memory.',
    default: -999,
    keepsZero: true,
  }),
  conntrack: field(conntrack, { description: 'Connection tracking of the kernel.' }),
  configSyncPeriod: field(DURATION, {
    description: 'How often objects are delivered again.',
    default: '15m0s',
    effect: 'None: what was delivered once is known.',
  }),
  portRange: field(STRING, {
    description: 'Ports of a mode that is gone.',
    default: '',
    effect: 'None, as in kube-proxy.',
  }),
  windowsRunAsService: field(BOOLEAN, { description: 'Run as a service of Windows.', default: false, effect: WINDOWS }),
});

/** A file as it was given. */
export type KubeProxyDocument = z.infer<typeof KUBE_PROXY_SCHEMA>;

/** A file with its defaults filled in. */
export type KubeProxyConfiguration = WithDefaults<KubeProxyDocument>;
