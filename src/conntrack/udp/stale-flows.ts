// Decides which conntrack entries are stale, and why.

import type { Address } from '../../net/address.ts';
import { printAddressPort } from '../../net/address-port.ts';
import type { Family } from '../../net/family.ts';
import { addressKey, type ConntrackEntry, isTranslated, nodePortKey } from '../conntrack-entry.ts';
import { type StaleGroup, StaleGroups } from '../stale-groups.ts';
import type { RemovedEndpoints } from './removed-endpoints.ts';
import { MAX_REVERSED_FLOWS, type ReversedFlows } from './reversed-flows.ts';
import type { UdpFrontend } from './udp-frontends.ts';

/** The UDP frontends against which entries are checked. */
export interface ExpectedState {
  /** By key. */
  readonly frontends: ReadonlyMap<string, UdpFrontend>;
  /** By key: the states of a frontend that a running sync may have applied; `undefined` if it may have removed it. */
  readonly uncommitted: ReadonlyMap<string, readonly (UdpFrontend | undefined)[]>;
  /** Recently removed endpoints. */
  readonly removed: Pick<RemovedEndpoints, 'servicePortOf' | 'removedAt'>;
  /** By key: when a recent frontend was added. */
  readonly addedAt: ReadonlyMap<string, number>;
  /** Flows that a later change made stale are still in their grace period. */
  readonly cutoff: number;
  /** The addresses of this host that accept node ports. */
  readonly nodeAddresses: ReadonlySet<Address>;
  /** Recently deleted flows, which a reply may have recreated in the reverse direction. */
  readonly reversed: Pick<ReversedFlows, 'has'>;
}

/** Why the flow is stale; `undefined` if it is valid, or not a Service's. */
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
  return `${printAddressPort(frontend)} is no longer a frontend of ${servicePort}`;
}

function changedAfterCutoff(key: string, endpoint: string, { removed, addedAt, cutoff }: ExpectedState): boolean {
  const changes = [removed.removedAt(key, endpoint), addedAt.get(key)];
  return changes.some((at) => at !== undefined && at > cutoff);
}

/** The source of a reversed flow is a frontend, if it still exists. */
function reversedReason(
  { family, original: { source, sourcePort } }: ConntrackEntry,
  expected: ExpectedState,
): string | undefined {
  const keys = keysOf({ family, address: source, port: sourcePort }, expected);
  const current = frontendOf(keys, expected);
  if (current === undefined || keys.some((key) => expected.uncommitted.has(key))) return undefined;
  return `a reply recreated the flow to ${printAddressPort({ address: source, port: sourcePort })}, which is older than this frontend of ${current.servicePort}`;
}

interface FrontendAddress {
  readonly family: Family;
  readonly address: Address;
  readonly port: number;
}

/** The keys that a frontend with this address and port can have. */
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
  const suffix = endpoints.size === 0 ? ', which has none' : '';
  return `${printAddressPort({ address: reply.source, port: reply.sourcePort })} is not an endpoint of ${servicePort}${suffix}`;
}

/** Collects stale flows from a listing. */
export class StaleFlows {
  readonly #groups = new StaleGroups();
  readonly #untranslated: ConntrackEntry[] = [];

  /** Records the entry if it is stale. */
  check(entry: ConntrackEntry, expected: ExpectedState): void {
    const reason = staleReason(entry, expected);
    if (reason === undefined) return;
    const isRecreatable = !isTranslated(entry) && !expected.reversed.has(entry);
    if (isRecreatable && this.#untranslated.length < MAX_REVERSED_FLOWS) this.#untranslated.push(entry);
    this.#groups.add(entry, reason);
  }

  /** The flows without NAT, which a reply can recreate: not more than are remembered, although the table may have millions. */
  get untranslated(): readonly ConntrackEntry[] {
    return this.#untranslated;
  }

  groups(): readonly StaleGroup[] {
    return this.#groups.list();
  }
}
