// Which flows the kernel must forget, and why: the deciding part of the clean-up.
import type { Address } from '../net/address.ts';
import { addressKey, type Entry, nodePortKey, type Tuple } from './entry.ts';
import type { FormerTargets } from './former-targets.ts';
import type { UdpTarget } from './udp-targets.ts';

/** What is known of UDP frontends when flows are judged. */
export interface Expected {
  /** By key: the frontends that there are. */
  readonly targets: ReadonlyMap<string, UdpTarget>;
  /** Endpoints that frontends had until lately. */
  readonly former: Pick<FormerTargets, 'nameOf'>;
  /** Keys of frontends that are being changed: their flows are judged when the kernel has the change. */
  readonly changing: ReadonlySet<string>;
  /** The addresses of this host that take node ports. */
  readonly nodeAddresses: ReadonlySet<Address>;
}

/** Why the flow is stale, in words; `undefined` when it is healthy, or none of ours. */
export function whyStale({ family, original, reply }: Entry, expected: Expected): string | undefined {
  const { destination, destinationPort } = original;
  const byAddress = addressKey(destination, destinationPort);
  const byNode = expected.nodeAddresses.has(destination) ? nodePortKey(family, destinationPort) : byAddress;
  if (expected.changing.has(byAddress) || expected.changing.has(byNode)) return undefined;
  const endpoint = addressKey(reply.source, reply.sourcePort);
  const target = expected.targets.get(byAddress) ?? expected.targets.get(byNode);
  if (target !== undefined) return target.endpoints.has(endpoint) ? undefined : describe(target, original, reply);
  const former = expected.former.nameOf(byAddress, endpoint) ?? expected.former.nameOf(byNode, endpoint);
  if (former === undefined) return undefined;
  return `${print(destination, destinationPort)} is no frontend of ${former} any more`;
}

function describe({ name, endpoints }: UdpTarget, original: Tuple, reply: Tuple): string {
  const frontend = print(original.destination, original.destinationPort);
  if (reply.source === original.destination && reply.sourcePort === original.destinationPort) {
    return `the flow to ${frontend} is older than this frontend of ${name}`;
  }
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

  /** Judges an entry, and keeps it when it is stale. */
  judge(entry: Entry, expected: Expected): void {
    const reason = whyStale(entry, expected);
    if (reason === undefined) return;
    const { original, reply } = entry;
    const frontend = addressKey(original.destination, original.destinationPort);
    const key = `${frontend} ${addressKey(reply.source, reply.sourcePort)}`;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { reason, first: entry, count: 1 });
    else group.count++;
  }

  groups(): readonly StaleGroup[] {
    return [...this.#groups.values()];
  }
}
