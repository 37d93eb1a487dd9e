// The frames of one flow: what each side sends, and what the other receives.

import type { FastPathProtocol } from '../../../src/fastpath/maps/entries.ts';
import type { Family } from '../../../src/net/family.ts';
import { frame, type Ip, type Segment, segment } from './frames.ts';
import { ADDRESSES, ETHERNET_HEADERS, POD_PORT, SERVICE_PORT } from './test-network.ts';

export const PROTOCOLS: readonly FastPathProtocol[] = ['tcp', 'udp'];

export interface FlowSpec {
  readonly family: Family;
  readonly protocol: FastPathProtocol;
  readonly clientPort?: number;
  /** The client port that the pod sees; by default the same. */
  readonly natPort?: number;
  readonly servicePort?: number;
  readonly client?: string;
  readonly pod?: string;
}

export type SegmentOverrides = Partial<Segment> & { readonly ip?: Partial<Ip> };

/** Received frames have a TTL of one less. */
export class FlowFrames {
  readonly spec: Required<FlowSpec>;
  readonly node: string;

  constructor(spec: FlowSpec) {
    const { node, client, pod } = ADDRESSES[spec.family];
    const clientPort = spec.clientPort ?? 40_000;
    const natPort = spec.natPort ?? clientPort;
    this.node = node;
    this.spec = { client, pod, servicePort: SERVICE_PORT, ...spec, clientPort, natPort };
  }

  fromClient({ ip, ...more }: SegmentOverrides = {}): Uint8Array {
    const { protocol, client, clientPort, servicePort } = this.spec;
    const s = segment({ protocol, sport: clientPort, dport: servicePort, ...more });
    return frame(ETHERNET_HEADERS.fromClient, { src: client, dst: this.node, ...ip }, s);
  }

  toPod({ ip, ...more }: SegmentOverrides = {}): Uint8Array {
    const { protocol, client, pod, natPort } = this.spec;
    const s = segment({ protocol, sport: natPort, dport: POD_PORT, ...more });
    return frame(ETHERNET_HEADERS.toPod, { src: client, dst: pod, ttl: 63, ...ip }, s);
  }

  fromPod({ ip, ...more }: SegmentOverrides = {}): Uint8Array {
    const { protocol, client, pod, natPort } = this.spec;
    const s = segment({ protocol, sport: POD_PORT, dport: natPort, ...more });
    return frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client, ...ip }, s);
  }

  /** Before the redirect, which writes the MAC addresses. */
  toClient({ ip, ...more }: SegmentOverrides = {}): Uint8Array {
    const { protocol, client, clientPort, servicePort } = this.spec;
    const s = segment({ protocol, sport: servicePort, dport: clientPort, ...more });
    return frame(ETHERNET_HEADERS.fromPod, { src: this.node, dst: client, ttl: 63, ...ip }, s);
  }
}
