// Which flows the kernel must forget, and why: the deciding part of the clean-up.

import type { Address } from '../net/address.ts';
import { printAddressPort } from '../net/address-port.ts';
import type { Family } from '../net/family.ts';
import { addressKey, type ConntrackEntry, isTranslated, nodePortKey } from './conntrack-entry.ts';
import type { RemovedEndpoints } from './removed-endpoints.ts';
import type { ReversedFlows } from './reversed-flows.ts';
import type { UdpFrontend } from './udp-frontends.ts';

/** What is known of UDP frontends when flows are judged. */
export interface ExpectedState {
  /** By key: the frontends that there are. */
  readonly frontends: ReadonlyMap<string, UdpFrontend>;
  /** By key: what a sync under way may have made of a frontend; `undefined` when it may have removed it. */
  readonly uncommitted: ReadonlyMap<string, readonly (UdpFrontend | undefined)[]>;
  /** Endpoints that frontends had until lately. */
  readonly removed: Pick<RemovedEndpoints, 'servicePortOf' | 'removedAt'>;
  /** By key: when a frontend came that was none until lately. */
  readonly addedAt: ReadonlyMap<string, number>;
  /** What was asked before this moment has its answer: flows that a later change made stale are not judged yet. */
  readonly cutoff: number;
  /** The addresses of this host that take node ports. */
  readonly nodeAddresses: ReadonlySet<Address>;
  /** Flows that were removed a moment ago, which an answer may have opened the other way round. */
  readonly reversed: Pick<ReversedFlows, 'has'>;
}

/** Why the flow is stale, in words; `undefined` when it is healthy, or none of ours. */
export function staleReason(entry: ConntrackEntry, expected: ExpectedState): string | undefined {
  const { family, original, reply } = entry;
  if (expected.reversed.has(entry)) return reversedReason(entry, expected);
  const frontend = { family, address: original.destination, port: original.destinationPort };
  const keys = keysOf(frontend, expected);
  const endpoint = addressKey(reply.source, reply.sourcePort);
  const current = frontendOf(keys, expected);
  const uncommitted = keys.flatMap((key) => expected.uncommitted.get(key) ?? []);
  if ([current, ...uncommitted].some((possible) => possible?.endpoints.has(endpoint))) return undefined;
  if (keys.some((key) => changedAfterCutoff(key, endpoint, expected))) return undefined;
  if (current !== undefined) {
    const mayBeRemoved = !isTranslated(entry) && uncommitted.includes(undefined);
    return mayBeRemoved ? undefined : describe(current, entry);
  }
  const servicePort = keys
    .map((key) => expected.removed.servicePortOf(key, endpoint))
    .find((name) => name !== undefined);
  if (servicePort === undefined) return undefined;
  return `${printAddressPort(frontend)} is no frontend of ${servicePort} any more`;
}

function changedAfterCutoff(key: string, endpoint: string, { removed, addedAt, cutoff }: ExpectedState): boolean {
  const changes = [removed.removedAt(key, endpoint), addedAt.get(key)];
  return changes.some((at) => at !== undefined && at > cutoff);
}

/** Its server is asked for as a frontend now, if it still is one. */
function reversedReason(
  { family, original: { source, sourcePort } }: ConntrackEntry,
  expected: ExpectedState,
): string | undefined {
  const keys = keysOf({ family, address: source, port: sourcePort }, expected);
  const current = frontendOf(keys, expected);
  if (current === undefined || keys.some((key) => expected.uncommitted.has(key))) return undefined;
  return `an answer has opened anew the flow to ${printAddressPort({ address: source, port: sourcePort })}, which is older than this frontend of ${current.servicePort}`;
}

interface FrontendAddress {
  readonly family: Family;
  readonly address: Address;
  readonly port: number;
}

/** The names that a frontend at this place can go by. */
function keysOf({ family, address, port }: FrontendAddress, { nodeAddresses }: ExpectedState): readonly string[] {
  const byAddress = addressKey(address, port);
  return nodeAddresses.has(address) ? [byAddress, nodePortKey(family, port)] : [byAddress];
}

function frontendOf(keys: readonly string[], { frontends }: ExpectedState): UdpFrontend | undefined {
  return keys.map((key) => frontends.get(key)).find((frontend) => frontend !== undefined);
}

function describe({ servicePort, endpoints }: UdpFrontend, entry: ConntrackEntry): string {
  const { original, reply } = entry;
  const frontend = printAddressPort({ address: original.destination, port: original.destinationPort });
  if (!isTranslated(entry)) return `the flow to ${frontend} is older than this frontend of ${servicePort}`;
  const suffix = endpoints.size === 0 ? ', which has none left' : '';
  return `${printAddressPort({ address: reply.source, port: reply.sourcePort })} is no endpoint of ${servicePort}${suffix}`;
}

/** Stale flows that have frontend and endpoint in common: what makes one stale makes all of them stale. */
export interface StaleGroup {
  readonly reason: string;
  readonly first: ConntrackEntry;
  readonly count: number;
}

/** Gathers stale flows from a dump, entry by entry. */
export class StaleFlows {
  readonly #groups = new Map<string, { reason: string; first: ConntrackEntry; count: number }>();
  readonly #untranslated: ConntrackEntry[] = [];

  /** Judges an entry, and keeps it when it is stale. */
  check(entry: ConntrackEntry, expected: ExpectedState): void {
    const reason = staleReason(entry, expected);
    if (reason === undefined) return;
    const { original, reply } = entry;
    if (!isTranslated(entry) && !expected.reversed.has(entry)) this.#untranslated.push(entry);
    const frontend = addressKey(original.destination, original.destinationPort);
    const key = `${frontend} ${addressKey(reply.source, reply.sourcePort)}`;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { reason, first: entry, count: 1 });
    else group.count++;
  }

  /** Each of those that an answer can open anew. */
  get untranslated(): readonly ConntrackEntry[] {
    return this.#untranslated;
  }

  groups(): readonly StaleGroup[] {
    return [...this.#groups.values()];
  }
}
