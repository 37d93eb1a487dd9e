// What the traffic client is ordered to do, and what it answers.
import type { Summary } from '../report/statistics.ts';

export type TrafficRequest =
  /** Connections to random Services for some time, so many at once, each closed as soon as it is open. */
  | { readonly kind: 'tcp'; readonly services: number; readonly ms: number; readonly concurrency: number }
  /** First datagrams of so many flows to all Services in turn. */
  | { readonly kind: 'udp'; readonly services: number; readonly flows: number };

export interface TrafficResult {
  readonly perSecond: number;
  readonly failures: number;
  /** From the call to the open connection, or what it takes to send a first datagram all the way. */
  readonly latencyMs: Summary;
}
