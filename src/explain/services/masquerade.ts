// Whether an endpoint sees the client masqueraded, with the reason, and the sentences about it.

import { isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { Backend } from '../../services/model/backends.ts';
import type { Packet } from '../flow/packet.ts';
import { addressKey, type ServiceTable } from './service-table.ts';

/** Whether something is masqueraded, and why. */
export interface MasqueradeDecision {
  readonly masquerade: boolean;
  /** Follows `because`. */
  readonly reason: string;
}

/** `undefined` if this node cannot distinguish pods from other clients. */
export function isPod({ family, source, inInterface = '' }: Packet, { node }: ServiceTable): boolean | undefined {
  const { detectLocal } = node;
  if (detectLocal.by === 'interface') {
    const { name } = detectLocal;
    return name.endsWith('*') ? inInterface.startsWith(name.slice(0, -1)) : inInterface === name;
  }
  const prefix = parsePrefix(detectLocal.prefixes[family] ?? '');
  return prefix === undefined ? undefined : contains(prefix, source);
}

/** Decides for one endpoint; `client` is what holds unless the endpoint is special. */
export function masqueradeAt(
  { address, port }: Backend,
  { packet, client, table }: { packet: Packet; client: MasqueradeDecision; table: ServiceTable },
): MasqueradeDecision {
  const { host, localEndpoints, node } = table;
  const forwarded = packet.inInterface !== undefined;
  // Packets from other hosts that are delivered here never reach postrouting.
  if (forwarded && isHostAddress(host, address))
    return { masquerade: false, reason: 'an address of this node is reached without postrouting' };
  const isLocalEndpoint = localEndpoints.has(addressKey(address, packet.protocol, port));
  const isHairpin = isLocalEndpoint && packet.source === address;
  if (client.masquerade && !isHairpin && keepsSource({ packet, address, table }))
    return { masquerade: false, reason: 'its source is the one that the route prefers' };
  if (client.masquerade) return client;
  if (isHairpin) return { masquerade: true, reason: 'the endpoint connects to itself' };
  const isDetectedByAddress = node.detectLocal.by === 'source' && isPod(packet, table) === true;
  if (!forwarded || !isDetectedByAddress || isLocalEndpoint || outputInterface(host, address) !== packet.inInterface)
    return client;
  const reason = 'the endpoint is reached through the input interface, and replies must return through this node';
  return { masquerade: true, reason };
}

interface KeptSource {
  readonly packet: Packet;
  readonly address: string;
  readonly table: ServiceTable;
}

/** Whether a process of this node has the source that routes through the link to the endpoint prefer. */
function keepsSource({ packet: { source }, address, table: { host, node } }: KeptSource): boolean {
  const link = outputInterface(host, address);
  // The kernel accepts such a packet from a link only with accept_local.
  return (
    isHostAddress(host, source) && node.routeSources.some((route) => route.address === source && route.link === link)
  );
}

/** One sentence if all endpoints see the same; otherwise one for each decision, which names its endpoints. */
export function describeMasquerade(
  decisions: readonly (MasqueradeDecision & { readonly endpoint: string })[],
): string[] {
  const groups = Map.groupBy(decisions, ({ masquerade, reason }) => `${masquerade} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const names = [...new Set(group.map(({ endpoint }) => endpoint))];
    const [verdict, seen] = first.masquerade
      ? ['masqueraded', 'an address of this node']
      : ['not masqueraded', 'the client address'];
    const subject = groups.size === 1 ? 'endpoints see' : `${names.join(', ')} ${names.length === 1 ? 'sees' : 'see'}`;
    return [`${verdict}: ${subject} ${seen}, because ${first.reason}`];
  });
}
