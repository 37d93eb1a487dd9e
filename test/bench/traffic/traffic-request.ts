// The requests and results of the traffic client.

import type { Summary } from '../report/statistics.ts';

export type TrafficRequest =
  /** Connections to random Services for a time, a number of them concurrently, each closed as soon as it is open. */
  | { readonly kind: 'tcp'; readonly services: number; readonly ms: number; readonly concurrency: number }
  /** First datagrams of a number of flows to all Services in turn. */
  | { readonly kind: 'udp'; readonly services: number; readonly flows: number };

export interface TrafficResult {
  readonly perSecond: number;
  readonly failures: number;
  /** The time from the call to the open connection, or of sending a first datagram. */
  readonly latencyMs: Summary;
}
