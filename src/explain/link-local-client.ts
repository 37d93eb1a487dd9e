// Link-local IPv6 clients: the kernel refuses to forward their packets to another link, before any rule could masquerade them.

import type { Address } from '../net/address.ts';
import { type Host, isHostAddress, outputInterface } from '../net/host.ts';
import { specialUseOf } from '../net/special-address.ts';
import type { FlowOutcome } from './flow/flow-outcome.ts';
import type { Packet } from './flow/packet.ts';

interface LinkLocalEffect {
  /** Whether no destination can be reached. */
  readonly isRefused: boolean;
  readonly reason: string;
}

/** What happens to the packets of such a client; `undefined` if they can reach every destination of the flow. */
export function linkLocalEffect(
  packet: Packet,
  { destinations }: Pick<FlowOutcome, 'destinations'>,
  host: Host,
): LinkLocalEffect | undefined {
  const { family, source, inInterface } = packet;
  if (family !== 'ip6' || inInterface === undefined || specialUseOf(source) !== 'link-local') return undefined;
  const isReached = ({ address }: { readonly address: Address }): boolean =>
    isHostAddress(host, address) || outputInterface(host, address) === inInterface;
  const reached = destinations.filter(isReached);
  if (reached.length === destinations.length) return undefined;
  const rule = 'the kernel does not forward packets of link-local clients';
  if (reached.length === 0) return { isRefused: true, reason: rule };
  return { isRefused: false, reason: `${rule}, except to ${reached.map(({ address }) => address).join(', ')}` };
}
