// Schema of NftlaneConfiguration (nftlane.io/v1alpha1): settings that kube-proxy does not have.

import * as z from 'zod/mini';
import { LOG_LEVELS } from '../../host/log-level.ts';
import { type Cost, DEFAULT_LIMITS, type Limits } from '../../nftables/plan/budget.ts';
import { BOOLEAN, DURATION, field, STRING, STRING_LIST, type WithDefaults } from './field.ts';

export const NFTLANE_API_VERSION = 'nftlane.io/v1alpha1';
export const NFTLANE_KIND = 'NftlaneConfiguration';

/** Default directory of the admin socket. */
export const DEFAULT_RUN_DIR = '/run/nftlane';

/** Default pin directory and loader program of the fast path. */
export const DEFAULT_PIN_DIR = '/sys/fs/bpf/nftlane/v1';
export const DEFAULT_LOADER = 'nftlane-bpf';

/** The largest number of flows that the loader supports. */
const MAX_FLOWS = 8_388_608;

const NON_EMPTY_STRING = z.string().check(z.minLength(1, 'must not be empty'));

const fastPath = z.strictObject({
  mode: field(z.enum(['off', 'auto', 'required']), {
    description:
      'BPF fast path for external traffic to Services with externalTrafficPolicy Local. `off` disables it, `auto` uses it if this machine supports it, `required` makes the daemon exit if it does not.',
    effect: 'See FAST-PATH.md. When the fast path is disabled, its live flows are handed over to conntrack.',
    default: 'off',
  }),
  uplinks: field(z.array(NON_EMPTY_STRING), {
    description: 'Interfaces that receive external traffic. Empty: those with a default route.',
    default: [],
  }),
  directory: field(NON_EMPTY_STRING, {
    description: 'Directory of a BPF file system where programs, links and maps are pinned.',
    default: DEFAULT_PIN_DIR,
  }),
  program: field(NON_EMPTY_STRING, {
    description: 'Loader program: a path, or a name that is searched for beside nftlane and in PATH.',
    default: DEFAULT_LOADER,
  }),
  maxFlows: field(z.int().check(z.minimum(1), z.maximum(MAX_FLOWS)), {
    description:
      'Maximum number of flows per family; nftables handles further flows. A live flow uses about 260 bytes (IPv4) or 390 bytes (IPv6), and each possible flow 32 bytes per family.',
    effect: 'An existing table keeps its size until the fast path is disabled.',
    default: 131_072,
  }),
});

const metrics = z.strictObject({
  connections: field(z.int().check(z.minimum(0), z.maximum(99_999)), {
    description:
      'Number of Service ports, busiest first, and of endpoints whose new connections are counted. 0 disables the counters.',
    default: 0,
  }),
});

const programs = z.strictObject({
  nft: field(NON_EMPTY_STRING, {
    description: 'nft program, version 1.1 or later: a path, or a name in PATH.',
    default: 'nft',
  }),
  conntrack: field(NON_EMPTY_STRING, {
    description: 'conntrack program, which removes stale conntrack entries.',
    default: 'conntrack',
  }),
});

const log = z.strictObject({
  level: field(z.enum(LOG_LEVELS), {
    description: 'Log level. If absent, `logging.verbosity` of KubeProxyConfiguration applies.',
  }),
  format: field(z.enum(['auto', 'json', 'text']), {
    description:
      'Log format. `auto` is text on a terminal and JSON otherwise. If absent, `logging.format` of KubeProxyConfiguration applies.',
  }),
});

function limit(name: keyof Cost, scope: keyof Limits, description: string) {
  return field(z.int().check(z.minimum(0)), { description, default: DEFAULT_LIMITS[scope][name] });
}

const limits = z.strictObject({
  service: field(
    z.strictObject({
      elements: limit(
        'elements',
        'service',
        'Elements of sets and maps: about one for each endpoint at each address and port, with `maglev` one for each slot.',
      ),
      affinityPorts: limit('affinityPorts', 'service', 'Ports with session affinity, counted for each family.'),
      sourceRanges: limit(
        'sourceRanges',
        'service',
        'Load balancer source ranges, counted for each load balancer address and port.',
      ),
    }),
    {
      description: 'Limits of a single Service.',
      effect:
        'A Service with `maglev` or session affinity that exceeds a limit is balanced by `source-hash` instead. If that exceeds a limit, too, it is left out: connections to its cluster IPs are refused.',
    },
  ),
  total: field(
    z.strictObject({
      elements: limit('elements', 'total', 'Elements of all Services. Each uses about 400 bytes of memory.'),
      affinityPorts: limit('affinityPorts', 'total', 'Ports with session affinity of all Services.'),
      sourceRanges: limit('sourceRanges', 'total', 'Load balancer source ranges of all Services.'),
    }),
    {
      description: 'Limits of all Services together.',
      effect:
        'If not all Services fit, small ones come first, then older ones; the others are reduced as above. A Service is small if it needs at most a thousandth.',
    },
  ),
});

const massLoss = z.strictObject({
  gracePeriod: field(DURATION, {
    description: 'How long a sudden loss of many Services is held back. 0s disables the protection.',
    effect:
      'Lost Services and endpoints are forwarded as last known meanwhile, and a start without them waits; see TROUBLESHOOTING.md.',
    default: '5m0s',
  }),
  percent: field(z.int().check(z.minimum(1), z.maximum(100)), {
    description:
      'A loss within 30 s of more than this percentage of the Services, or of their last endpoints, is held back.',
    default: 50,
  }),
  minServices: field(z.int().check(z.minimum(1)), {
    description: 'A loss of fewer Services is never held back.',
    default: 20,
  }),
});

/** The schema of the document. */
export const NFTLANE_SCHEMA = z.strictObject({
  apiVersion: z.literal(NFTLANE_API_VERSION),
  kind: z.literal(NFTLANE_KIND),
  strictSourceRanges: field(BOOLEAN, {
    description:
      'Block a load balancer address if none of its source ranges is valid for its family, instead of leaving it open as kube-proxy does.',
    default: false,
  }),
  keepRouteSource: field(BOOLEAN, {
    description:
      'Do not masquerade connections of processes of this node to Services whose source address is the one that the route to the endpoint prefers (`src` of `ip route`), on links without that address. The kernel would take an address of another link.',
    default: false,
  }),
  serviceClusterIPRange: field(STRING_LIST, {
    description:
      'CIDR blocks from which Services without `spec.clusterIP` get cluster IPs, at most one for each family. Requires manifests: an API server assigns cluster IPs itself.',
    effect:
      'The address depends on namespace and name, and is the same on every host with the same objects. The first block is that of the family of Services that name none; see CLUSTER-IPS.md.',
    default: [],
  }),
  limits: field(limits, {
    description:
      'Limits of what Services may use in the kernel. Numbers are estimated from the objects, whatever the state of endpoints.',
  }),
  massLoss: field(massLoss, {
    description:
      'Protection from a source that suddenly loses its Services, such as an API server with an empty database.',
  }),
  takeOver: field(z.enum(['auto', 'no']), {
    description:
      'Whether to remove the rules of kube-proxy once those of nftlane are complete (`auto`) or to keep them (`no`).',
    default: 'auto',
  }),
  tableOwnership: field(z.enum(['auto', 'no']), {
    description:
      'Whether to own the tables where the kernel (6.9 or newer) supports it (`auto`), so that no other program can change or flush them, or to leave them open (`no`).',
    default: 'auto',
  }),
  fastPath: field(fastPath, { description: 'BPF fast path for external traffic.' }),
  serveHealth: field(BOOLEAN, { description: 'Serve health at `healthzBindAddress`.', default: true }),
  serveMetrics: field(BOOLEAN, { description: 'Serve metrics at `metricsBindAddress`.', default: true }),
  metrics: field(metrics, { description: 'Metrics of individual Services.' }),
  manifests: field(STRING, {
    description:
      'Directory of manifests that replaces the API server as the source of objects. Overrides `clientConnection.kubeconfig`.',
  }),
  programs: field(programs, { description: 'External programs.' }),
  runDir: field(NON_EMPTY_STRING, {
    description: 'Directory of the admin socket and the state files.',
    default: DEFAULT_RUN_DIR,
  }),
  log: field(log, { description: 'The log, written to standard error.' }),
});

/** A document before defaults are applied. */
export type NftlaneDocument = z.infer<typeof NFTLANE_SCHEMA>;

/** A document with its defaults. Fields without a default may be absent. */
export type NftlaneConfiguration = Omit<WithDefaults<NftlaneDocument>, 'manifests' | 'log'> & {
  readonly manifests?: string;
  readonly log: { readonly level?: (typeof LOG_LEVELS)[number]; readonly format?: 'auto' | 'json' | 'text' };
};
