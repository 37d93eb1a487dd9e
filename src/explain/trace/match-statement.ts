// Whether a packet matches a statement of our rules.

import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefixOrAddress } from '../../net/prefix.ts';
import type { Statement } from '../../nftables/syntax/statement.ts';
import type { TracedPacket } from './traced-packet.ts';

/** True for statements that match every packet, and for lookups, which are made elsewhere. */
export function matchesStatement(statement: Statement, packet: TracedPacket, host: Host): boolean {
  const { original, destination, inInterface } = packet;
  switch (statement.kind) {
    case 'state':
      if (!packet.isTracked) return statement.state !== 'new' && !packet.isUntracked;
      return statement.state !== 'invalid' && packet.state === 'new';
    case 'status-dnat':
      return packet.isTracked && packet.translated;
    case 'protocol':
      return statement.protocol === original.protocol;
    // The first packet of a TCP connection is a SYN.
    case 'without-flags':
      return packet.state !== 'new';
    case 'is-local':
      return isHostAddress(host, statement.field === 'saddr' ? packet.source : destination);
    case 'in-prefix':
      return (
        isInPrefix(statement.prefix, statement.field === 'saddr' ? packet.source : destination) !== statement.negate
      );
    case 'input-interface':
      return matchesInterface(inInterface, statement.name) !== statement.negate;
    case 'output-interface':
      return outputInterface(host, destination) === statement.name;
    case 'leaves-by-input-interface':
      return outputInterface(host, destination) === inInterface;
    case 'mark-is-set':
      return (packet.mark & (1 << statement.bit)) !== 0;
    default:
      return true;
  }
}

function isInPrefix(text: string, address: string): boolean {
  const prefix = parsePrefixOrAddress(text);
  return prefix !== undefined && contains(prefix, address);
}

function matchesInterface(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
