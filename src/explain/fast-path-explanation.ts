// Explains whether the fast path would take a flow.

import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import { printDestination } from '../net/address-port.ts';
import { contains, parsePrefix } from '../net/prefix.ts';
import { specialUseOf } from '../net/special-address.ts';
import type { Packet } from './flow/packet.ts';

/** Whether the programs take the first packet of a flow. */
export interface FastPathOutcome {
  readonly eligible: boolean;
  /** The possible backends, or why nftables serves the flow. */
  readonly reason: string;
}

const ELIGIBLE_FRONTENDS =
  'not a node port, external or load balancer address of a Service with externalTrafficPolicy Local and endpoints on this node';

/** Returns `undefined` if the fast path is turned off. */
export function explainFastPath(packet: Packet, status: FastPathStatus | undefined): FastPathOutcome | undefined {
  if (status === undefined || status.mode === 'off') return undefined;
  const reason = skipReason(packet, status);
  if (reason !== undefined) return { eligible: false, reason };
  const pods = [...new Set(frontendOf(packet, status)?.backends)];
  return { eligible: true, reason: `to ${pods.length === 1 ? '' : 'one of '}${pods.join(', ')}` };
}

function frontendOf(packet: Packet, { frontends }: FastPathStatus) {
  return frontends.find(({ destination }) => destination === destinationOf(packet));
}

function destinationOf({ destination, destinationPort, protocol }: Packet): string {
  return printDestination({ address: destination, port: destinationPort, protocol });
}

function skipReason(packet: Packet, status: FastPathStatus): string | undefined {
  const { source, inInterface } = packet;
  if (status.state === 'off') return `the fast path is off: ${status.reason}`;
  const frontend = frontendOf(packet, status);
  if (frontend === undefined)
    return (
      status.skipped.find(({ destination }) => destination === destinationOf(packet))?.reason ?? ELIGIBLE_FRONTENDS
    );
  if (inInterface === undefined) return 'the programs see packets from outside, not those that this node sends';
  const uplinks = status.uplinks.flatMap(({ name, reason }) => (reason === undefined ? [name] : []));
  if (!uplinks.includes(inInterface))
    return `the packet arrives on ${inInterface || 'an unknown interface'}, not on an uplink (${uplinks.join(', ')})`;
  if (packet.family === 'ip6' && specialUseOf(source) === 'link-local')
    return 'packets of link-local clients are not forwarded to another link';
  const excluded = status.excludedSources.find((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, source);
  });
  if (excluded !== undefined) return `client ${source} is in ${excluded}, which is excluded`;
  return frontend.suspended;
}
