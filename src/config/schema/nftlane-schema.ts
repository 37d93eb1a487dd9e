// NftlaneConfiguration (nftlane.io/v1alpha1): what kube-proxy has no word for.
import * as z from 'zod/mini';
import { LOG_LEVELS } from '../../host/log-level.ts';
import { BOOLEAN, field, STRING, type WithDefaults } from './field.ts';

export const NFTLANE_API_VERSION = 'nftlane.io/v1alpha1';
export const NFTLANE_KIND = 'NftlaneConfiguration';

/** Where the socket for inspection is, unless somebody says otherwise. */
export const DEFAULT_RUN_DIR = '/run/nftlane';

/** Where the fast path is pinned, and what loads it, unless somebody says otherwise. */
export const DEFAULT_PIN_DIR = '/sys/fs/bpf/nftlane/v1';
export const DEFAULT_LOADER = 'nftlane-bpf';

/** What the loader makes tables for. */
const MAX_FLOWS = 8_388_608;

const NON_EMPTY_STRING = z.string().check(z.minLength(1, 'must not be empty'));

const fastPath = z.strictObject({
  mode: field(z.enum(['off', 'auto', 'required']), {
    description:
      'Lead traffic from outside to Services with externalTrafficPolicy Local past the rules: never, where this machine can, or not start where it cannot.',
    effect: 'See FAST-PATH.md. When it is switched off, flows that live are handed over to conntrack.',
    default: 'off',
  }),
  uplinks: field(z.array(NON_EMPTY_STRING), {
    description: 'Interfaces that traffic from outside comes in by. Empty: those that have a default route.',
    default: [],
  }),
  directory: field(NON_EMPTY_STRING, {
    description: 'Where its programs, links and maps are pinned: a directory of a BPF file system.',
    default: DEFAULT_PIN_DIR,
  }),
  program: field(NON_EMPTY_STRING, {
    description: 'The program that loads it: a path, or a name that is looked for beside nftlane and in PATH.',
    default: DEFAULT_LOADER,
  }),
  maxFlows: field(z.int().check(z.minimum(1), z.maximum(MAX_FLOWS)), {
    description:
      'How many flows of each family it can lead at a time; further ones are left to the rules. A flow takes some 260 bytes over IPv4 and 390 over IPv6 while it lives; room for one takes 32 in each family.',
    effect: 'A table that is there keeps its size: it changes when the fast path was switched off.',
    default: 131_072,
  }),
});

const metrics = z.strictObject({
  connections: field(z.int().check(z.minimum(0), z.maximum(99_999)), {
    description:
      'Count the new connections of this many Service ports, the busiest first, and of as many endpoints. 0: of none.',
    default: 0,
  }),
});

const programs = z.strictObject({
  nft: field(NON_EMPTY_STRING, {
    description: 'The nft to use, 1.1 or newer: a name in PATH, or a path.',
    default: 'nft',
  }),
  conntrack: field(NON_EMPTY_STRING, {
    description: 'The conntrack that removes stale UDP flows.',
    default: 'conntrack',
  }),
});

const log = z.strictObject({
  level: field(z.enum(LOG_LEVELS), {
    description: 'What to say. Where it is absent, `logging.verbosity` of KubeProxyConfiguration decides.',
  }),
  format: field(z.enum(['auto', 'json', 'text']), {
    description:
      'How. `auto` is text on a terminal, and JSON otherwise. Where it is absent, `logging.format` of KubeProxyConfiguration decides.',
  }),
});

/** The file as it may be given. */
export const NFTLANE_SCHEMA = z.strictObject({
  apiVersion: z.literal(NFTLANE_API_VERSION),
  kind: z.literal(NFTLANE_KIND),
  strictSourceRanges: field(BOOLEAN, {
    description:
      'Close a load balancer address whose source ranges cannot be used in its family, instead of leaving it open as kube-proxy does.',
    default: false,
  }),
  takeOver: field(z.enum(['auto', 'no']), {
    description: "Remove kube-proxy's rules once ours are complete, or leave them.",
    default: 'auto',
  }),
  fastPath: field(fastPath, { description: 'The way past the rules for traffic from outside.' }),
  serveHealth: field(BOOLEAN, { description: 'Serve health at `healthzBindAddress`.', default: true }),
  serveMetrics: field(BOOLEAN, { description: 'Serve metrics at `metricsBindAddress`.', default: true }),
  metrics: field(metrics, { description: 'What metrics tell of single Services.' }),
  manifests: field(STRING, {
    description:
      'A directory of manifests to take objects from, instead of an API server, whatever `clientConnection.kubeconfig` says.',
  }),
  programs: field(programs, { description: 'Programs that are run.' }),
  runDir: field(NON_EMPTY_STRING, { description: 'Where the socket for inspection is.', default: DEFAULT_RUN_DIR }),
  log: field(log, { description: 'The log, which is on standard error.' }),
});

/** A file as it was given. */
export type NftlaneDocument = z.infer<typeof NFTLANE_SCHEMA>;

/** A file with its defaults filled in. What has no default may still be absent. */
export type NftlaneConfiguration = Omit<WithDefaults<NftlaneDocument>, 'manifests' | 'log'> & {
  readonly manifests?: string;
  readonly log: { readonly level?: (typeof LOG_LEVELS)[number]; readonly format?: 'auto' | 'json' | 'text' };
};
