// Flows as conntrack entries: what the kernel needs to go on with them when the programs are gone.
import { printAddressPort } from '../../net/address-port.ts';
import type { FlowEntry } from '../maps/entries.ts';

/** In seconds: the peers set it anew with their next packets. */
const TCP_SECONDS = 3600;
const UDP_SECONDS = 120;

/**
 * One command line of `conntrack --load-file` for each flow that can still have packets, from its entry of the client's
 * direction: translated as nft does it, established, and answered.
 */
export function conntrackRestoreLines(flows: readonly FlowEntry[]): string[] {
  return flows.flatMap((flow) => {
    const { direction, protocol, client, other, translated, state } = flow;
    if (direction !== 'original' || state === 'closed' || (protocol === 'tcp' && state === 'new')) return [];
    const tcp = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
    // The client's port is another one towards the pod where its own was taken.
    const source =
      translated.clientPort === client.port
        ? []
        : ['--src-nat', printAddressPort({ address: client.address, port: translated.clientPort })];
    const words = [
      ...['-I', '-p', protocol, '-t', protocol === 'tcp' ? TCP_SECONDS : UDP_SECONDS, '-u', 'SEEN_REPLY,ASSURED'],
      ...tcp,
      ...['--orig-src', client.address, '--orig-dst', other.address],
      ...['--sport', client.port, '--dport', other.port],
      // The kernel makes the reply of this, and knows by it that the flow is translated: a reply that is given as it is to
      // become would look to it like one of a flow that is not.
      ...['--dst-nat', printAddressPort(translated), ...source],
    ];
    return [words.join(' ')];
  });
}
