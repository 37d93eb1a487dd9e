// Fixtures of fast path tests: one Service with routed pods, or two, one of them with pods behind a bridge.

import type { Test } from 'tap';
import { cleanUpOnError } from '../clean-up-on-error.ts';
import type { Namespace } from '../netns/namespace.ts';
import { type Addresses, NODES } from '../netns/topology.ts';
import type { Dialer } from '../netns/traffic/dialer-process.ts';
import type { Transport } from '../netns/traffic/programs/messages.ts';
import {
  createFastPathWorld,
  type FastPathWorld,
  type InstallFastPath,
  NODE_PORT,
  TARGET_PORT,
} from './fast-path-world.ts';

export const FAMILIES = ['ip', 'ip6'] as const;
export const POD_KINDS = [
  { kind: 'routed', service: 'shop/routed', port: NODE_PORT, n: 1 },
  { kind: 'bridged', service: 'shop/bridged', port: NODE_PORT + 1, n: 2 },
] as const;

/** Ports on which the pods respond. */
const RESPONDER_PORTS = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };

/** Each of two Services has two node ports (TCP, UDP) in two families. */
const FRONTENDS = 8;

/** A node port of a Service in one protocol and family. */
export interface NodePortTarget {
  readonly name: string;
  readonly kind: (typeof POD_KINDS)[number]['kind'];
  readonly protocol: Transport;
  readonly family: (typeof FAMILIES)[number];
  readonly address: string;
  readonly port: number;
}

export const NODE_PORT_TARGETS: readonly NodePortTarget[] = POD_KINDS.flatMap(({ kind, port }) =>
  (['tcp', 'udp'] as const).flatMap((protocol) =>
    FAMILIES.map((family) => {
      return { name: `${kind} ${protocol} ${family}`, kind, protocol, family, address: NODES.node1[family], port };
    }),
  ),
);

/** A world with both Services. */
export class TwoServiceWorld {
  readonly fast: FastPathWorld;
  readonly pods: Readonly<Record<NodePortTarget['kind'], readonly Namespace[]>>;

  constructor(fast: FastPathWorld, pods: TwoServiceWorld['pods']) {
    this.fast = fast;
    this.pods = pods;
  }

  get allPods(): Namespace[] {
    return Object.values(this.pods).flat();
  }

  /** Starts a daemon and waits until all frontends are served. */
  async startFastPath(...flags: readonly string[]): Promise<void> {
    await this.fast.startDaemon('--fast-path', 'required', ...flags);
    await this.fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
  }

  /** Restarts the daemon with the fast path disabled. Resolves with the number of flows that conntrack took over. */
  async disableFastPath(): Promise<number> {
    await this.fast.daemon.stop();
    const daemon = await this.fast.startDaemon('--fast-path', 'off');
    const { restoredFlows } = await daemon.waitForLog('fast path removed', 0, 30_000);
    return Number(restoredFlows);
  }
}

export async function createTwoServiceWorld(): Promise<TwoServiceWorld> {
  const fast = await createFastPathWorld();
  return cleanUpOnError(
    () => fast.close(),
    () => addTwoServices(fast),
  );
}

async function addTwoServices(fast: FastPathWorld): Promise<TwoServiceWorld> {
  const bridged = await fast.addBridge();
  const pods = { routed: [fast.world.pod('a'), fast.world.pod('b')], bridged };
  for (const { kind, service, port, n } of POD_KINDS)
    await fast.writeService(service, n, { pods: pods[kind], nodePort: port });
  return new TwoServiceWorld(fast, pods);
}

/** Creates both Services with responding pods, and a dialer on the client. Closes the world after the tests of `t`. */
export async function setUpTwoServices(t: Test): Promise<{ setup: TwoServiceWorld; dialer: Dialer }> {
  const setup = await createTwoServiceWorld();
  t.teardown(() => setup.fast.close());
  await Promise.all(setup.allPods.map((pod) => pod.respond(RESPONDER_PORTS)));
  return { setup, dialer: await setup.fast.world.client.dialer() };
}

export interface OneServiceSetup {
  readonly fast: FastPathWorld;
  /** The endpoints of the Service. */
  readonly pods: readonly Namespace[];
  /** The cluster IPs of the Service. */
  readonly clusterIps: Addresses;
  /** On the client. */
  readonly dialer: Dialer;
}

/** Creates the Service `shop/web` with two routed, responding pods. Closes the world after the tests of `t`. */
export async function setUpOneService(t: Test, install?: InstallFastPath): Promise<OneServiceSetup> {
  const fast = await createFastPathWorld(install);
  t.teardown(() => fast.close());
  const { world } = fast;
  const pods = [world.pod('a'), world.pod('b')];
  await Promise.all(pods.map((pod) => pod.respond(RESPONDER_PORTS)));
  const clusterIps = await fast.writeService('shop/web', 1, { pods, nodePort: NODE_PORT });
  return { fast, pods, clusterIps, dialer: await world.client.dialer() };
}
