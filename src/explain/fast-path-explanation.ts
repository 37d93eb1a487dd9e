// One flow and the fast path: whether it would be taken, and why not.

import type { FastPathView } from '../fastpath/status/status.ts';
import { contains, parsePrefix } from '../net/prefix.ts';
import type { Packet } from './flow/packet.ts';

/** What the fast path makes of the first packet of a flow. */
export interface FastPathFate {
  readonly taken: boolean;
  /** To whom it is taken, or why it is left to nft. */
  readonly reason: string;
}

const LEFT_ANYWAY =
  'it serves node ports, external and load balancer addresses of Services with the Local policy and endpoints on this node';

/** `undefined` where the fast path is switched off. */
export function explainFastPath(packet: Packet, view: FastPathView | undefined): FastPathFate | undefined {
  if (view === undefined || view.mode === 'off') return undefined;
  const reason = whyLeft(packet, view);
  if (reason !== undefined) return { taken: false, reason };
  const pods = [...new Set(frontendOf(packet, view)?.backends)];
  return { taken: true, reason: `to ${pods.length === 1 ? '' : 'one of '}${pods.join(', ')}` };
}

function frontendOf(packet: Packet, { frontends }: FastPathView) {
  return frontends.find(({ dialled }) => dialled === dialledBy(packet));
}

function dialledBy({ destination, destinationPort, protocol }: Packet): string {
  return `${destination} ${destinationPort}/${protocol}`;
}

function whyLeft(packet: Packet, view: FastPathView): string | undefined {
  const { source, inInterface } = packet;
  if (view.state === 'off') return `it is off: ${view.reason}`;
  const frontend = frontendOf(packet, view);
  if (frontend === undefined)
    return view.left.find(({ dialled }) => dialled === dialledBy(packet))?.reason ?? LEFT_ANYWAY;
  if (inInterface === undefined) return 'it sees what comes in from outside, not what this node sends';
  const uplinks = view.uplinks.flatMap(({ name, reason }) => (reason === undefined ? [name] : []));
  if (!uplinks.includes(inInterface))
    return `it sees what comes in by ${uplinks.join(', ')}, not by ${inInterface || 'an unknown interface'}`;
  const block = view.sources.find((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, source);
  });
  if (block !== undefined) return `${source} is of ${block}, whose packets nft has to see`;
  return frontend.passes;
}
