// Decides which attempts to open a TCP connection are stale, and why.

import type { Engine } from '../../engine/engine.ts';
import type { Address } from '../../net/address.ts';
import { printAddressPort } from '../../net/address-port.ts';
import type { Family } from '../../net/family.ts';
import { SETS_AND_MAPS, type SetOrMapName } from '../../nftables/compile/sets-and-maps.ts';
import { concat, type SetOrMap } from '../../nftables/syntax/element.ts';
import { type ConntrackEntry, isTranslated } from '../conntrack-entry.ts';

/** What entries are compared with. */
export interface AttemptContext {
  readonly engine: Pick<Engine, 'isKernelKnown' | 'lookup'>;
  /** The addresses of this host that accept node ports. */
  readonly nodeAddresses: ReadonlySet<Address>;
  /** The frontends that a scan has met, by key: one may have many slots. */
  readonly cache?: Map<string, FrontendState>;
}

/** A frontend in the kernel, and after the running sync. */
interface FrontendState {
  readonly isInstalled: boolean;
  /** Whether it has endpoints, before and after. */
  readonly isServed: boolean;
  /** The endpoints, before or after. */
  readonly endpoints: ReadonlySet<string>;
}

/** Of addresses that no Service has. They may be many, and are not cached. */
const NOT_INSTALLED: FrontendState = { isInstalled: false, isServed: false, endpoints: new Set() };

/** Where a kind of frontends has its endpoints, and its verdict without any. */
interface FrontendMaps {
  readonly slots: readonly SetOrMapName[];
  readonly noEndpoints: SetOrMapName;
}

const BY_ADDRESS: FrontendMaps = { slots: ['endpoints', 'local-endpoints'], noEndpoints: 'no-endpoint-services' };
const BY_NODE_PORT: FrontendMaps = {
  slots: ['nodeport-endpoints', 'local-nodeport-endpoints'],
  noEndpoints: 'no-endpoint-nodeports',
};

/**
 * Why the attempt is stale; `undefined` if it is valid, or not a Service's. NAT is decided at the first SYN, and each repeated
 * one extends the entry: such an attempt never reaches an endpoint, and neither does a later one with the same source port.
 * What a running sync may make valid is not stale.
 */
export function staleAttemptReason(entry: ConntrackEntry, context: AttemptContext): string | undefined {
  if (!context.engine.isKernelKnown) return undefined;
  const translated = isTranslated(entry);
  // A connection that was reset may have been established: segments in transit still need its entry.
  if (translated && isClosed(entry)) return undefined;
  const { original, reply } = entry;
  const state = frontendOf(entry, context);
  if (!state.isInstalled || state.endpoints.has(concat(reply.source, reply.sourcePort))) return undefined;
  const frontend = printAddressPort({ address: original.destination, port: original.destinationPort });
  if (translated) {
    const suffix = state.endpoints.size === 0 ? ', which has none' : '';
    return `${printAddressPort({ address: reply.source, port: reply.sourcePort })} is not an endpoint of ${frontend}${suffix}`;
  }
  return state.isServed ? `the attempt to ${frontend} is older than this frontend` : undefined;
}

/** Whether a stale attempt may still be answered. Nothing else than the rules answers for a cluster IP. */
export function mayBeAnswered(entry: ConntrackEntry, { engine }: Pick<AttemptContext, 'engine'>): boolean {
  if (isClosed(entry)) return false;
  const clusterIps = SETS_AND_MAPS[entry.family]['cluster-ips'];
  return isTranslated(entry) || engine.lookup.installed(clusterIps, entry.original.destination) === undefined;
}

function isClosed(entry: ConntrackEntry): boolean {
  return entry.protocol === 'tcp' && entry.state === 'CLOSE';
}

/** A frontend with this address comes before a node port, as in the chains. */
function frontendOf(entry: ConntrackEntry, context: AttemptContext): FrontendState {
  const { destination, destinationPort } = entry.original;
  const byAddress = stateOf(BY_ADDRESS, concat(destination, 'tcp', destinationPort), { ...context, ...entry });
  if (byAddress.isInstalled || !context.nodeAddresses.has(destination)) return byAddress;
  return stateOf(BY_NODE_PORT, concat('tcp', destinationPort), { ...context, ...entry });
}

function stateOf(
  maps: FrontendMaps,
  key: string,
  { engine, cache, family }: AttemptContext & { readonly family: Family },
): FrontendState {
  const cacheKey = `${family} ${key}`;
  const cached = cache?.get(cacheKey);
  if (cached !== undefined) return cached;
  const objects = SETS_AND_MAPS[family];
  const installed = maps.slots.flatMap((name) => [...installedSlots(engine, objects[name], key)]);
  const isInstalled = installed.length > 0 || engine.lookup.installed(objects[maps.noEndpoints], key) !== undefined;
  if (!isInstalled) return NOT_INSTALLED;
  const desired = maps.slots.flatMap((name) => [...engine.lookup.slots(objects[name], key)]);
  const isServed = installed.length > 0 && desired.length > 0;
  const state = { isInstalled, isServed, endpoints: new Set([...installed, ...desired]) };
  cache?.set(cacheKey, state);
  return state;
}

function* installedSlots({ lookup }: AttemptContext['engine'], object: SetOrMap, key: string): Generator<string> {
  for (let slot = 0; ; slot++) {
    const element = lookup.installed(object, concat(key, slot));
    if (element === undefined) return;
    yield element.data;
  }
}
