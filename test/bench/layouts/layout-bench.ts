// Runs one layout in a test network: a client, a node with the layout, and one pod for all endpoints.

import { cleanUpOnError } from '../../support/clean-up-on-error.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createWorld, type World } from '../../support/netns/world.ts';
import { watchChildren } from '../system/memory-watch.ts';
import { type Program, startProgram } from '../system/program.ts';
import type { TrafficRequest, TrafficResult } from '../traffic/traffic-request.ts';
import type { Layout, LayoutName, LayoutSetup, ProbeCommand, ProbeReply } from './layout.ts';
import { ADDRESS_BLOCKS } from './services.ts';

const POD = 'endpoints';

export async function createLayoutBench(layout: LayoutName, setup: LayoutSetup): Promise<LayoutBench> {
  const world = await createWorld({ pods: { node1: [POD] } });
  return cleanUpOnError(
    () => world.destroy(),
    () => startPrograms(world, { layout, setup }),
  );
}

async function startPrograms(
  world: World,
  { layout, setup }: { layout: LayoutName; setup: LayoutSetup },
): Promise<LayoutBench> {
  await acceptAllEndpoints(world.node1, world.pod(POD));
  await startProgram(world.pod(POD), 'bench/traffic/traffic-sink.ts');
  const client = await startProgram(world.client, 'bench/traffic/traffic-client.ts');
  const probe = await startProgram(world.node1, 'bench/layouts/probe.ts', [layout, JSON.stringify(setup)]);
  return new LayoutBench(world, { client, probe });
}

export class LayoutBench {
  readonly #world: World;
  readonly #client: Program;
  readonly #probe: Program;

  constructor(world: World, { client, probe }: { client: Program; probe: Program }) {
    this.#world = world;
    this.#client = client;
    this.#probe = probe;
  }

  /** The durations of the calls, in milliseconds. */
  async time(call: keyof Layout, how: Omit<ProbeCommand, 'call'> = {}): Promise<readonly number[]> {
    const { ms, failure }: ProbeReply = JSON.parse(await this.#probe.request(JSON.stringify({ call, ...how })));
    if (ms === undefined) throw new Error(failure);
    return ms;
  }

  /** The duration of a full load, and the peak memory of an nft process. */
  async load(): Promise<{ ms: number; nftMb: number }> {
    const watch = watchChildren(this.#probe.pid);
    try {
      const [ms = Number.NaN] = await this.time('load');
      return { ms, nftMb: watch.stop() };
    } finally {
      watch.stop();
    }
  }

  /** Traffic from the client through the node's Services. */
  async dial(order: TrafficRequest): Promise<TrafficResult> {
    // Entries of the previous round would fill the conntrack table.
    await this.#world.node1.exec('conntrack', ['-F']);
    return JSON.parse(await this.#client.request(JSON.stringify(order)));
  }

  close(): Promise<void> {
    return this.#world.destroy();
  }
}

/** Gives the pod every endpoint address. It accepts TCP and drops UDP, instead of refusing it. */
async function acceptAllEndpoints(node: Namespace, pod: Namespace): Promise<void> {
  await node.configure([`route add ${ADDRESS_BLOCKS.endpoints} via ${pod.ip} dev pod-${POD}`]);
  await pod.configure([`route add local ${ADDRESS_BLOCKS.endpoints} dev lo`]);
  const ruleset = `table ip sink {
    chain prerouting { type filter hook prerouting priority raw; meta l4proto udp counter drop; }
  }`;
  await pod.output('nft', ['-f', '-'], { input: ruleset });
}
