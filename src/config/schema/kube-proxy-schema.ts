// KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1): its fields, and what nftlane makes of each.
import * as z from 'zod/mini';
import { type Complete, DURATION, FLAG, field, TEXT, TEXTS } from './field.ts';

export const KUBE_PROXY_API = 'kubeproxy.config.k8s.io/v1alpha1';
export const KUBE_PROXY_KIND = 'KubeProxyConfiguration';

const OTHER_MODE = 'None: there are no ipvs virtual servers here.';
const WINDOWS = 'None: it is about Windows.';
const JSON_API = 'None: nftlane speaks JSON with the API server.';
const LOG_LINES = 'None: each line of the log is written at once.';
const AT_ONCE = 'None on syncs: a change is applied at once, and costs what it changes.';

const bit = z.int().check(z.minimum(0), z.maximum(31));
const natural = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));

const periods = (mode: string, minimum: string, effect?: string) => ({
  syncPeriod: field(DURATION, {
    meaning: `How long to wait after a failed sync, at most. Read in mode ${mode}.`,
    default: '30s',
    effect: effect ?? 'Health is judged by it. A failed sync is tried again sooner.',
  }),
  minSyncPeriod: field(DURATION, {
    meaning: `The least time between two syncs. Read in mode ${mode}.`,
    default: minimum,
    effect: effect ?? AT_ONCE,
  }),
});

const logOptions = z.strictObject({
  splitStream: field(FLAG, {
    meaning: 'Errors to standard error, the rest to standard output.',
    default: false,
    effect: LOG_LINES,
  }),
  infoBufferSize: field(z.union([TEXT, z.number()]), {
    meaning: 'How much of the log is held back.',
    default: '0',
    effect: LOG_LINES,
  }),
});

const logging = z.strictObject({
  format: field(TEXT, {
    meaning: 'Form of the log: `text` or `json`.',
    default: 'text',
    effect: '`text` is text on a terminal, and JSON otherwise. `log.format` of NftlaneConfiguration goes first.',
  }),
  flushFrequency: field(z.union([DURATION, z.number()]), {
    meaning: 'How often the log is written.',
    default: '5s',
    effect: LOG_LINES,
  }),
  verbosity: field(natural, {
    meaning: 'How much is said.',
    default: 0,
    effect: 'From 4 on the level is `debug`. `log.level` of NftlaneConfiguration goes first.',
  }),
  vmodule: field(z.array(z.strictObject({ filePattern: TEXT, verbosity: natural })), {
    meaning: 'Verbosity of single source files.',
    default: [],
    effect: 'None: nftlane has other source files.',
  }),
  options: field(
    z.strictObject({
      text: field(logOptions, { meaning: 'Of the text form.' }),
      json: field(logOptions, { meaning: 'Of the JSON form.' }),
    }),
    { meaning: 'Options of a form. Taken only with the feature gate LoggingAlphaOptions.' },
  ),
});

const clientConnection = z.strictObject({
  kubeconfig: field(TEXT, { meaning: 'Path of a kubeconfig. Empty: the service account of this pod.', default: '' }),
  acceptContentTypes: field(TEXT, { meaning: 'What the API server may answer with.', default: '', effect: JSON_API }),
  contentType: field(TEXT, {
    meaning: 'What is sent to the API server.',
    default: 'application/vnd.kubernetes.protobuf',
    effect: JSON_API,
  }),
  qps: field(z.number(), {
    meaning: 'Requests in a second.',
    default: 5,
    effect: 'None: four watches make no requests worth a limit.',
  }),
  burst: field(natural, { meaning: 'Requests at once.', default: 10, effect: 'None, as `qps`.' }),
});

const iptables = z.strictObject({
  masqueradeBit: field(bit, {
    meaning: 'Bit of the packet mark that says "masquerade". Read in every mode but nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(FLAG, {
    meaning: 'Masquerade every connection to a cluster IP. Read in every mode but nftables.',
    default: false,
  }),
  localhostNodePorts: field(FLAG, {
    meaning: 'Take node ports at 127.0.0.1.',
    default: true,
    keepsZero: true,
    effect:
      'None, for it is on by default and opens loopback addresses to the network: say `localhost` in `nodePortAddresses`.',
  }),
  ...periods('iptables', '1s'),
});

const ipvs = z.strictObject({
  ...periods('ipvs', '0s'),
  scheduler: field(TEXT, {
    meaning: 'How ipvs balances.',
    default: '',
    effect: 'None: connections are balanced at random, or as the annotation nftlane.io/balance of a Service says.',
  }),
  excludeCIDRs: field(TEXTS, { meaning: 'Virtual servers that are left alone.', default: [], effect: OTHER_MODE }),
  strictARP: field(FLAG, {
    meaning: 'Do not answer ARP for Service addresses.',
    default: false,
    effect: 'None: Service addresses are on no interface, so nobody answers for them.',
  }),
  tcpTimeout: field(DURATION, { meaning: 'Idle TCP connections in ipvs.', default: '0s', effect: OTHER_MODE }),
  tcpFinTimeout: field(DURATION, {
    meaning: 'TCP connections in ipvs after a FIN.',
    default: '0s',
    effect: OTHER_MODE,
  }),
  udpTimeout: field(DURATION, { meaning: 'UDP flows in ipvs.', default: '0s', effect: OTHER_MODE }),
});

const nftables = z.strictObject({
  masqueradeBit: field(bit, {
    meaning: 'Bit of the packet mark that says "masquerade". Read in mode nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(FLAG, {
    meaning: 'Masquerade every connection to a cluster IP. Read in mode nftables.',
    default: false,
  }),
  ...periods('nftables', '1s'),
});

const winkernel = z.strictObject({
  networkName: field(TEXT, { meaning: 'Of the HNS network.', default: '', effect: WINDOWS }),
  sourceVip: field(TEXT, { meaning: 'Source address of load balancing.', default: '', effect: WINDOWS }),
  enableDSR: field(FLAG, { meaning: 'Direct server return.', default: false, effect: WINDOWS }),
  rootHnsEndpointName: field(TEXT, { meaning: 'Of the node.', default: '', effect: WINDOWS }),
  forwardHealthCheckVip: field(FLAG, { meaning: 'Health checks at the VIP.', default: false, effect: WINDOWS }),
});

const detectLocal = z.strictObject({
  bridgeInterface: field(TEXT, { meaning: 'The bridge that pods are on, for mode BridgeInterface.', default: '' }),
  interfaceNamePrefix: field(TEXT, {
    meaning: 'How names of pod interfaces begin, for mode InterfaceNamePrefix.',
    default: '',
  }),
});

const conntrack = z.strictObject({
  maxPerCore: field(natural, {
    meaning: 'Entries of the conntrack table for each core. 0 leaves its size alone.',
    default: 32768,
    keepsZero: true,
  }),
  min: field(natural, { meaning: 'The least size of the conntrack table.', default: 131072, keepsZero: true }),
  tcpEstablishedTimeout: field(DURATION, {
    meaning: 'How long idle TCP connections are kept. 0 leaves it alone.',
    default: '24h0m0s',
    keepsZero: true,
  }),
  tcpCloseWaitTimeout: field(DURATION, {
    meaning: 'How long half-closed TCP connections are kept. 0 leaves it alone.',
    default: '1h0m0s',
    keepsZero: true,
  }),
  tcpBeLiberal: field(FLAG, {
    meaning: 'Let TCP segments outside of the window pass. `false` leaves it alone.',
    default: false,
  }),
  udpTimeout: field(DURATION, {
    meaning: 'How long UDP flows without an answer are kept. 0 leaves it alone.',
    default: '0s',
  }),
  udpStreamTimeout: field(DURATION, {
    meaning: 'How long UDP flows with answers are kept. 0 leaves it alone.',
    default: '0s',
  }),
});

/** The file as it may be given. Unknown fields are reported and passed over. */
export const KUBE_PROXY_SCHEMA = z.strictObject({
  apiVersion: z.literal(KUBE_PROXY_API),
  kind: z.literal(KUBE_PROXY_KIND),
  featureGates: field(z.record(TEXT, FLAG), {
    meaning: 'Feature gates by name.',
    default: {},
    effect:
      'Gates that cannot be turned off are held to that. Every other name is accepted; it has no effect, and is reported if it is not known here.',
  }),
  clientConnection: field(clientConnection, { meaning: 'The way to the API server.' }),
  logging: field(logging, { meaning: 'The log, which is on standard error.' }),
  hostnameOverride: field(TEXT, {
    meaning: 'Name of this node. Empty: the name of the host. In lower case either way.',
    default: '',
  }),
  bindAddress: field(TEXT, {
    meaning:
      'Stands for the address of this node of its family, and chooses the family of the default server addresses. 0.0.0.0 and :: say nothing.',
    default: '0.0.0.0',
    effect: 'Nothing is bound to it.',
  }),
  healthzBindAddress: field(TEXT, {
    meaning: 'Where health is served: `IP` or `IP:port`.',
    default: '0.0.0.0:10256',
    effect:
      'Empty means the default; `serveHealth: false` in NftlaneConfiguration turns the server off. With an IPv6 `bindAddress` the default is [::]:10256.',
  }),
  metricsBindAddress: field(TEXT, {
    meaning: 'Where metrics are served: `IP` or `IP:port`.',
    default: '127.0.0.1:10249',
    effect:
      'Empty means the default; `serveMetrics: false` in NftlaneConfiguration turns the server off. With an IPv6 `bindAddress` the default is [::1]:10249.',
  }),
  bindAddressHardFail: field(FLAG, {
    meaning: 'End when one of these servers cannot listen, instead of trying again.',
    default: false,
  }),
  enableProfiling: field(FLAG, {
    meaning: 'Go profiles at the metrics server.',
    default: false,
    effect: 'None: this is no Go program.',
  }),
  showHiddenMetricsForVersion: field(TEXT, {
    meaning: 'Metrics that a version hid.',
    default: '',
    effect: 'None: no metric is hidden.',
  }),
  mode: field(z.enum(['', 'iptables', 'ipvs', 'nftables']), {
    meaning: 'How kube-proxy proxies.',
    default: 'iptables',
    effect: 'It chooses which of the sections below is read. nftlane works the same in every mode.',
  }),
  iptables: field(iptables, { meaning: 'The section of mode iptables.' }),
  ipvs: field(ipvs, { meaning: 'The section of mode ipvs.' }),
  nftables: field(nftables, { meaning: 'The section of mode nftables.' }),
  winkernel: field(winkernel, { meaning: 'The section of Windows.' }),
  detectLocalMode: field(z.enum(['', 'ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']), {
    meaning:
      'How a pod is told from other clients: by the blocks in `clusterCIDR`, by the podCIDRs of the Node, or by the interface that it sends through.',
    default: 'ClusterCIDR',
  }),
  detectLocal: field(detectLocal, { meaning: 'Names for `detectLocalMode`.' }),
  clusterCIDR: field(TEXT, {
    meaning:
      'Where pods live: one block, or one of each family behind a comma without blanks. Clients from elsewhere are masqueraded. Read in mode ClusterCIDR; empty: no client is told from another.',
    default: '',
  }),
  nodePortAddresses: field(TEXTS, {
    meaning:
      'Where node ports are taken: blocks of addresses, and the words `primary` (the addresses of the Node), `all` (every address but loopback) and `localhost` (127.0.0.1).',
    default: ['primary'],
    effect:
      'The default is `primary` in every mode. Words and blocks may be mixed. A family that nothing in the list is about takes node ports at every address but loopback.',
  }),
  oomScoreAdj: field(z.int().check(z.minimum(-1000), z.maximum(1000)), {
    meaning: 'How unlikely the kernel ends the process for want of memory.',
    default: -999,
    keepsZero: true,
  }),
  conntrack: field(conntrack, { meaning: 'Connection tracking of the kernel.' }),
  configSyncPeriod: field(DURATION, {
    meaning: 'How often objects are delivered again.',
    default: '15m0s',
    effect: 'None: what was delivered once is known.',
  }),
  portRange: field(TEXT, { meaning: 'Ports of a mode that is gone.', default: '', effect: 'None, as in kube-proxy.' }),
  windowsRunAsService: field(FLAG, { meaning: 'Run as a service of Windows.', default: false, effect: WINDOWS }),
});

/** A file as it was given. */
export type KubeProxyFile = z.infer<typeof KUBE_PROXY_SCHEMA>;

/** A file with its defaults filled in. */
export type KubeProxyConfiguration = Complete<KubeProxyFile>;
