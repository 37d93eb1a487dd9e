// Records the new flows in a namespace's network stack, in sets of an nftables table.

import type { Packet } from '../../../../src/explain/flow/packet.ts';
import type { Namespace } from '../namespace.ts';

/** A flow, without the port of the client. */
export type FlowEnds = Pick<Packet, 'protocol' | 'source' | 'destination' | 'destinationPort'>;

const TABLE = 'inet recorded';

/** Runs after conntrack and before any translation. */
const RULES = `
table ${TABLE} {
  set new4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; size 65535; flags dynamic; }
  set new6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service; size 65535; flags dynamic; }
  chain record {
    meta l4proto != { tcp, udp } return
    meta nfproto ipv4 update @new4 { ip saddr . ip daddr . meta l4proto . th dport }
    meta nfproto ipv6 update @new6 { ip6 saddr . ip6 daddr . meta l4proto . th dport }
  }
  chain in { type filter hook prerouting priority -150; ct state new jump record; }
  chain out { type filter hook output priority -150; ct state new jump record; }
}
`;

interface NftSetListing {
  readonly nftables: readonly {
    readonly set?: { readonly elem?: readonly { readonly concat: readonly unknown[] }[] };
  }[];
}

/** Records new flows until {@link stopRecordingNewFlows}. */
export async function recordNewFlows(namespace: Namespace): Promise<void> {
  await namespace.output('nft', ['-f', '-'], { input: RULES });
}

/** Returns a function that checks whether a flow was recorded. */
export async function readNewFlows(namespace: Namespace): Promise<(flow: FlowEnds) => boolean> {
  const known = new Set<string>();
  for (const name of ['new4', 'new6']) {
    const { nftables }: NftSetListing = JSON.parse(
      await namespace.output('nft', ['-j', 'list', 'set', ...TABLE.split(' '), name]),
    );
    for (const { set } of nftables) for (const { concat } of set?.elem ?? []) known.add(concat.join(' '));
  }
  return ({ protocol, source, destination, destinationPort }) =>
    known.has([source, destination, protocol, destinationPort].join(' '));
}

export async function stopRecordingNewFlows(namespace: Namespace): Promise<void> {
  await namespace.output('nft', ['delete', 'table', ...TABLE.split(' ')]);
}
