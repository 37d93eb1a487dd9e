// One flow and the fast path: whether it would be taken, and why not.

import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import { contains, parsePrefix } from '../net/prefix.ts';
import type { Packet } from './flow/packet.ts';

/** What the fast path makes of the first packet of a flow. */
export interface FastPathOutcome {
  readonly eligible: boolean;
  /** To whom it is taken, or why it is left to nft. */
  readonly reason: string;
}

const ELIGIBLE_FRONTENDS =
  'it serves node ports, external and load balancer addresses of Services with the Local policy and endpoints on this node';

/** `undefined` where the fast path is switched off. */
export function explainFastPath(packet: Packet, view: FastPathStatus | undefined): FastPathOutcome | undefined {
  if (view === undefined || view.mode === 'off') return undefined;
  const reason = skipReason(packet, view);
  if (reason !== undefined) return { eligible: false, reason };
  const pods = [...new Set(frontendOf(packet, view)?.backends)];
  return { eligible: true, reason: `to ${pods.length === 1 ? '' : 'one of '}${pods.join(', ')}` };
}

function frontendOf(packet: Packet, { frontends }: FastPathStatus) {
  return frontends.find(({ destination }) => destination === destinationOf(packet));
}

function destinationOf({ destination, destinationPort, protocol }: Packet): string {
  return `${destination} ${destinationPort}/${protocol}`;
}

function skipReason(packet: Packet, view: FastPathStatus): string | undefined {
  const { source, inInterface } = packet;
  if (view.state === 'off') return `it is off: ${view.reason}`;
  const frontend = frontendOf(packet, view);
  if (frontend === undefined)
    return view.skipped.find(({ destination }) => destination === destinationOf(packet))?.reason ?? ELIGIBLE_FRONTENDS;
  if (inInterface === undefined) return 'it sees what comes in from outside, not what this node sends';
  const uplinks = view.uplinks.flatMap(({ name, reason }) => (reason === undefined ? [name] : []));
  if (!uplinks.includes(inInterface))
    return `it sees what comes in by ${uplinks.join(', ')}, not by ${inInterface || 'an unknown interface'}`;
  const excluded = view.excludedSources.find((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, source);
  });
  if (excluded !== undefined) return `${source} is of ${excluded}, whose packets nft has to see`;
  return frontend.suspended;
}
