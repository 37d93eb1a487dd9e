// Which flows the kernel must forget, and why: the deciding part of the clean-up.
import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';
import { addressKey, type Entry, isTranslated, nodePortKey } from './entry.ts';
import type { FormerTargets } from './former-targets.ts';
import type { TurnedFlows } from './turned-flows.ts';
import type { UdpTarget } from './udp-targets.ts';

/** What is known of UDP frontends when flows are judged. */
export interface Expected {
  /** By key: the frontends that there are. */
  readonly targets: ReadonlyMap<string, UdpTarget>;
  /** By key: what a sync under way may have made of a frontend; `undefined` when it may have removed it. */
  readonly coming: ReadonlyMap<string, readonly (UdpTarget | undefined)[]>;
  /** Endpoints that frontends had until lately. */
  readonly former: Pick<FormerTargets, 'nameOf' | 'lostAt'>;
  /** By key: when a frontend came that was none until lately. */
  readonly appeared: ReadonlyMap<string, number>;
  /** What was asked before this moment has its answer: flows that a later change made stale are not judged yet. */
  readonly answeredUntil: number;
  /** The addresses of this host that take node ports. */
  readonly nodeAddresses: ReadonlySet<Address>;
  /** Flows that were removed a moment ago, which an answer may have opened the other way round. */
  readonly turned: Pick<TurnedFlows, 'has'>;
}

/** Why the flow is stale, in words; `undefined` when it is healthy, or none of ours. */
export function whyStale(entry: Entry, expected: Expected): string | undefined {
  const { family, original, reply } = entry;
  if (expected.turned.has(entry)) return whyTurned(entry, expected);
  const frontend = { family, address: original.destination, port: original.destinationPort };
  const keys = keysOf(frontend, expected);
  const endpoint = addressKey(reply.source, reply.sourcePort);
  const target = targetOf(keys, expected);
  const coming = keys.flatMap((key) => expected.coming.get(key) ?? []);
  if ([target, ...coming].some((possible) => possible?.endpoints.has(endpoint))) return undefined;
  if (keys.some((key) => hasJustChanged(key, endpoint, expected))) return undefined;
  if (target !== undefined) {
    const mayBePlain = !isTranslated(entry) && coming.includes(undefined);
    return mayBePlain ? undefined : describe(target, entry);
  }
  const former = keys.map((key) => expected.former.nameOf(key, endpoint)).find((name) => name !== undefined);
  if (former === undefined) return undefined;
  return `${print(frontend.address, frontend.port)} is no frontend of ${former} any more`;
}

function hasJustChanged(key: string, endpoint: string, { former, appeared, answeredUntil }: Expected): boolean {
  const changes = [former.lostAt(key, endpoint), appeared.get(key)];
  return changes.some((at) => at !== undefined && at > answeredUntil);
}

/** Its server is asked for as a frontend now, if it still is one. */
function whyTurned({ family, original: { source, sourcePort } }: Entry, expected: Expected): string | undefined {
  const keys = keysOf({ family, address: source, port: sourcePort }, expected);
  const target = targetOf(keys, expected);
  if (target === undefined || keys.some((key) => expected.coming.has(key))) return undefined;
  return `an answer has opened anew the flow to ${print(source, sourcePort)}, which is older than this frontend of ${target.name}`;
}

interface Dialled {
  readonly family: Family;
  readonly address: Address;
  readonly port: number;
}

/** The names that a frontend at this place can go by. */
function keysOf({ family, address, port }: Dialled, { nodeAddresses }: Expected): readonly string[] {
  const byAddress = addressKey(address, port);
  return nodeAddresses.has(address) ? [byAddress, nodePortKey(family, port)] : [byAddress];
}

function targetOf(keys: readonly string[], { targets }: Expected): UdpTarget | undefined {
  return keys.map((key) => targets.get(key)).find((target) => target !== undefined);
}

function describe({ name, endpoints }: UdpTarget, entry: Entry): string {
  const { original, reply } = entry;
  const frontend = print(original.destination, original.destinationPort);
  if (!isTranslated(entry)) return `the flow to ${frontend} is older than this frontend of ${name}`;
  const left = endpoints.size === 0 ? ', which has none left' : '';
  return `${print(reply.source, reply.sourcePort)} is no endpoint of ${name}${left}`;
}

function print(address: Address, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Stale flows that have frontend and endpoint in common: what makes one stale makes all of them stale. */
export interface StaleGroup {
  readonly reason: string;
  readonly first: Entry;
  readonly count: number;
}

/** Gathers stale flows from a dump, entry by entry. */
export class StaleFlows {
  readonly #groups = new Map<string, { reason: string; first: Entry; count: number }>();
  readonly #untranslated: Entry[] = [];

  /** Judges an entry, and keeps it when it is stale. */
  judge(entry: Entry, expected: Expected): void {
    const reason = whyStale(entry, expected);
    if (reason === undefined) return;
    const { original, reply } = entry;
    if (!isTranslated(entry) && !expected.turned.has(entry)) this.#untranslated.push(entry);
    const frontend = addressKey(original.destination, original.destinationPort);
    const key = `${frontend} ${addressKey(reply.source, reply.sourcePort)}`;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { reason, first: entry, count: 1 });
    else group.count++;
  }

  /** Each of those that an answer can open anew. */
  get untranslated(): readonly Entry[] {
    return this.#untranslated;
  }

  groups(): readonly StaleGroup[] {
    return [...this.#groups.values()];
  }
}
