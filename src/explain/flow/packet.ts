// The first packet of a flow.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';

export interface Packet {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
  /** The interface by which it arrives; `undefined` when a process of this host sends it. */
  readonly inInterface: string | undefined;
}
