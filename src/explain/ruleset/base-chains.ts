// Where base chains are in the path of a packet.

import { type Host, outputInterface } from '../../net/host.ts';
import type { ListedHook, TableChain } from '../../nftables/syntax/listed-table.ts';
import type { Ruleset } from './ruleset.ts';
import type { TracedPacket } from './traced-packet.ts';

export interface BasePlace {
  readonly hook: string;
  readonly type: string;
  readonly priority: number;
}

/** A chain with an unknown priority comes first. */
export function toPlace({ hook, type, priority }: ListedHook): BasePlace {
  return { hook, type, priority: priority ?? Number.NEGATIVE_INFINITY };
}

/** Chains at `ingress` and `egress` see the packets of their devices only; true if the device of the packet is unknown. */
export function isAtDevice({ hook, rest }: ListedHook, packet: TracedPacket, host: Host): boolean {
  if (hook !== 'ingress' && hook !== 'egress') return true;
  const device = hook === 'ingress' ? packet.inInterface : outputInterface(host, packet.destination);
  return device === undefined || device === '' || rest.split(/[^\w.@:-]+/).includes(device);
}

/** Whether a chain of ours translates at the same place. Which of both comes first is not listed. */
export function hasSamePlace({ hook }: TableChain, { chains }: Ruleset): boolean {
  return [...chains.values()].some(
    (chain) => chain.hook?.type === 'nat' && chain.hook.hook === hook?.hook && chain.hook.priority === hook.priority,
  );
}
