// Parses the kernel's list of IPVS virtual servers.

import { type Address, parseAddress } from '../net/address.ts';
import { printAddressPort } from '../net/address-port.ts';

export interface VirtualServer {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly address: Address;
  readonly port: number;
  /** Active and inactive connections through it, including idle UDP flows. */
  readonly connections: number;
}

const SERVER = /^(TCP|UDP|SCTP) +(\[[0-9A-Fa-f:]+\]|[0-9A-F]{8}):([0-9A-F]{4}) /;
const DESTINATION = /^ +-> (?:\[[0-9A-Fa-f:]+\]|[0-9A-F]{8}):[0-9A-F]{4} +\S+ +\d+ +(\d+) +(\d+)/;

/** Parses `/proc/net/ip_vs`. Skips virtual servers with a firewall mark, which kube-proxy does not create. */
export function parseVirtualServers(text: string): VirtualServer[] {
  const servers: { protocol: VirtualServer['protocol']; address: Address; port: number; connections: number }[] = [];
  let current: (typeof servers)[number] | undefined;
  for (const line of text.split('\n')) {
    const [, protocol, host = '', port = ''] = SERVER.exec(line) ?? [];
    const [, active = '0', inactive = '0'] = DESTINATION.exec(line) ?? [];
    if (protocol !== undefined) {
      current = {
        protocol: protocolOf(protocol),
        address: parseHexAddress(host),
        port: Number.parseInt(port, 16),
        connections: 0,
      };
      servers.push(current);
    } else if (line.startsWith('FWM')) {
      current = undefined;
    } else if (current !== undefined) {
      current.connections += Number(active) + Number(inactive);
    }
  }
  return servers;
}

function protocolOf(text: string): VirtualServer['protocol'] {
  return text === 'UDP' || text === 'SCTP' ? text : 'TCP';
}

/** IPv4 addresses are hexadecimal numbers, IPv6 addresses are in brackets with all groups. */
function parseHexAddress(text: string): Address {
  if (text.startsWith('[')) return parseAddress(text.slice(1, -1)) ?? text;
  const octets = [0, 2, 4, 6].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
  return octets.join('.');
}

/** The ipvsadm arguments that select a virtual server. */
export function ipvsadmArgs({ protocol, address, port }: VirtualServer): string[] {
  const flag = { TCP: '--tcp-service', UDP: '--udp-service', SCTP: '--sctp-service' }[protocol];
  return [flag, printAddressPort({ address, port })];
}
