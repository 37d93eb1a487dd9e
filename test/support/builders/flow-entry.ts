// A flow of the fast path.

import type { FlowEntry } from '../../../src/fastpath/maps/entries.ts';

/** An established TCP flow of a client to a node port. */
export const FLOW: FlowEntry = {
  direction: 'original',
  protocol: 'tcp',
  client: { address: '198.51.100.7', port: 40_000 },
  other: { address: '192.0.2.1', port: 30_080 },
  translated: { address: '10.1.0.1', port: 8080, clientPort: 40_000 },
  ...{ slot: 1, gen: 1, oif: 2, nextHop: '192.0.2.254', mtu: 1500, lastTicks: 0, state: 'established' },
};
