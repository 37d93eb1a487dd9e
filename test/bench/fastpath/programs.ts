// The fast path on the node of the bench.

import { putBackend, putFrontend } from '../../../src/fastpath/maps/requests.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { PROTOCOLS } from '../../support/bpf/flow-frames.ts';
import type { LineProcess } from '../../support/bpf/line-process.ts';
import { batch, putConfig, putPorts, putUplink } from '../../support/bpf/map-requests.ts';
import { type NamespaceLoader, startNamespaceLoader } from '../../support/bpf/namespace-loader.ts';
import { podPath, readLink } from '../../support/bpf/pod-devices.ts';
import { cleanUpOnError } from '../../support/clean-up-on-error.ts';
import { type BenchNetwork, NODE, PODS, type PodName, UPLINK, vethOf } from './bench-network.ts';
import { NODE_PORTS, TARGET_PORT } from './rules.ts';

export type Hook = 'tcx' | 'clsact';

/** Loads the programs and fills their maps, without attaching. The caller closes it. */
export async function loadPrograms(network: BenchNetwork): Promise<Programs> {
  const loader = await startNamespaceLoader(network.node);
  return cleanUpOnError(
    () => loader.close(),
    () => fillMaps(loader, network),
  );
}

async function fillMaps(loader: NamespaceLoader, network: BenchNetwork): Promise<Programs> {
  await loader.process.requestOk('load');
  await loader.process.requestOk(batch(await mapRequests(network)));
  const { ifindex } = await readLink(network.node, UPLINK);
  const veths = await Promise.all(PODS.map((pod) => readLink(network.node, vethOf(pod))));
  return new Programs(loader, { uplink: ifindex, veths: veths.map((veth) => veth.ifindex) });
}

export class Programs {
  readonly #owner: NamespaceLoader;
  readonly #loader: LineProcess;
  readonly #hooks: readonly string[];
  #attached = false;

  constructor(owner: NamespaceLoader, devices: { uplink: number; veths: readonly number[] }) {
    this.#owner = owner;
    this.#loader = owner.process;
    this.#hooks = [`uplink ${devices.uplink}`, ...devices.veths.map((veth) => `pod ${veth}`)];
  }

  async attach(by: Hook): Promise<void> {
    if (this.#attached) return;
    for (const hook of this.#hooks) await this.#loader.requestOk(`attach ${hook} ${by}`);
    this.#attached = true;
  }

  async detach(): Promise<void> {
    if (!this.#attached) return;
    for (const hook of this.#hooks) await this.#loader.requestOk(`detach ${hook}`);
    this.#attached = false;
  }

  /** Deletes flows and zeroes the counters. */
  async flush(): Promise<void> {
    for (const map of ['flows_v4', 'flows_v6', 'stats', 'slot_counts']) await this.#loader.requestOk(`flush ${map}`);
  }

  /** Packets that the programs redirected since {@link flush}. */
  async fastPathPackets(): Promise<number> {
    const { lines } = await this.#loader.requestOk('stats');
    const counted = lines.map((line) => line.split(' '));
    return counted.reduce((sum, [, , count, outcome]) => sum + (outcome === 'forwarded' ? Number(count) : 0), 0);
  }

  /** The hook that the daemon would use on this kernel. */
  async bestHook(): Promise<Hook> {
    const { status } = await this.#loader.requestOk('probe');
    return status.includes('attach=tcx') ? 'tcx' : 'clsact';
  }

  async close(): Promise<void> {
    await this.#loader.requestOk('remove');
    await this.#owner.close();
  }
}

/** The map entries of the Services, as the daemon would write them. */
async function mapRequests(network: BenchNetwork): Promise<string[]> {
  const requests = [
    putConfig(),
    putUplink(await readLink(network.node, UPLINK)),
    ...putPorts({ frontends: Object.values(NODE_PORTS), backends: [TARGET_PORT] }),
  ];
  for (const [n, pod] of PODS.entries()) requests.push(...(await podRequests(network, { pod, firstSlot: 1 + 4 * n })));
  return requests;
}

/** Backends and frontends of a pod, for both protocols and families, in four slots. */
async function podRequests(
  network: BenchNetwork,
  { pod, firstSlot }: { pod: PodName; firstSlot: number },
): Promise<string[]> {
  const namespaces = { node: network.node, pod: network.pod(pod) };
  const path = await podPath(namespaces, { veth: vethOf(pod), gateway: network.gatewayDevice(pod) });
  return FAMILIES.flatMap((family, f) =>
    PROTOCOLS.flatMap((protocol, p) => {
      const slot = firstSlot + 2 * f + p;
      const backend = { ...path, address: network.pod(pod)[family], port: TARGET_PORT, protocol, flags: 0, gen: 1 };
      const key = { address: NODE[family], port: NODE_PORTS[pod], protocol };
      return [
        putBackend(slot, { ...backend, svc: slot }),
        putFrontend(key, { svc: slot, suspended: false, slots: [slot] }),
      ];
    }),
  );
}
