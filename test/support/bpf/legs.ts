// The packets of one flow as tests need them: what each side sends, and what the other is to receive.
import { frame, type Ip, type Segment, segment } from './frames.ts';
import { ADDRESSES, LEG, POD_PORT, SERVICE_PORT } from './place.ts';

export type Family = 'ip' | 'ip6';
export type Protocol = 'tcp' | 'udp';
export const FAMILIES: readonly Family[] = ['ip', 'ip6'];
export const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];

export interface Side {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly clientPort?: number;
  /** As the pod sees it, when it is another. */
  readonly mappedPort?: number;
  readonly servicePort?: number;
  readonly client?: string;
  readonly pod?: string;
}

export type More = Partial<Segment> & { readonly ip?: Partial<Ip> };

/** Frames of a flow. `ttl` is lowered by one in what is received. */
export class Legs {
  readonly side: Required<Side>;
  readonly node: string;

  constructor(given: Side) {
    const { node, client, pod } = ADDRESSES[given.family];
    const clientPort = given.clientPort ?? 40_000;
    const mappedPort = given.mappedPort ?? clientPort;
    this.node = node;
    this.side = { client, pod, servicePort: SERVICE_PORT, ...given, clientPort, mappedPort };
  }

  fromClient({ ip, ...more }: More = {}): Uint8Array {
    const { protocol, client, clientPort, servicePort } = this.side;
    const s = segment({ protocol, sport: clientPort, dport: servicePort, ...more });
    return frame(LEG.fromClient, { src: client, dst: this.node, ...ip }, s);
  }

  toPod({ ip, ...more }: More = {}): Uint8Array {
    const { protocol, client, pod, mappedPort } = this.side;
    const s = segment({ protocol, sport: mappedPort, dport: POD_PORT, ...more });
    return frame(LEG.toPod, { src: client, dst: pod, ttl: 63, ...ip }, s);
  }

  fromPod({ ip, ...more }: More = {}): Uint8Array {
    const { protocol, client, pod, mappedPort } = this.side;
    const s = segment({ protocol, sport: POD_PORT, dport: mappedPort, ...more });
    return frame(LEG.fromPod, { src: pod, dst: client, ...ip }, s);
  }

  /** The MAC addresses are written later, by the neighbour table. */
  toClient({ ip, ...more }: More = {}): Uint8Array {
    const { protocol, client, clientPort, servicePort } = this.side;
    const s = segment({ protocol, sport: servicePort, dport: clientPort, ...more });
    return frame(LEG.fromPod, { src: this.node, dst: client, ttl: 63, ...ip }, s);
  }
}
