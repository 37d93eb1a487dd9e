// Formats flows as conntrack entries, with which the kernel takes over when the programs are removed.

import { printAddressPort } from '../../net/address-port.ts';
import type { FlowEntry } from '../maps/entries.ts';

/** Short-lived: the next packet of a flow sets the usual timeout. */
const TCP_SECONDS = 3600;
const UDP_SECONDS = 120;

/**
 * Lines for `conntrack --load-file`: one for each live flow, from the entry of its original direction, with the
 * translation that nftables would make, and in state established.
 */
export function conntrackRestoreLines(flows: readonly FlowEntry[]): string[] {
  return flows.flatMap((flow) => {
    const { direction, protocol, client, other, translated, state } = flow;
    if (direction !== 'original' || state === 'closed' || (protocol === 'tcp' && state === 'new')) return [];
    const tcp = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
    // The pod sees another client port if the client's own was in use.
    const source =
      translated.clientPort === client.port
        ? []
        : ['--src-nat', printAddressPort({ address: client.address, port: translated.clientPort })];
    const words = [
      ...['-I', '-p', protocol, '-t', protocol === 'tcp' ? TCP_SECONDS : UDP_SECONDS, '-u', 'SEEN_REPLY,ASSURED'],
      ...tcp,
      ...['--orig-src', client.address, '--orig-dst', other.address],
      ...['--sport', client.port, '--dport', other.port],
      // The kernel derives the reply tuple and the NAT status from these. With an explicit reply tuple it would take the
      // flow as untranslated.
      ...['--dst-nat', printAddressPort(translated), ...source],
    ];
    return [words.join(' ')];
  });
}
