// The cells of the Local policies once more, with the fast path on: what they meet must be the same, and of every cell it
// must be known who has decided it.

import { contains, parsePrefix } from '../../src/net/prefix.ts';
import type { ProxyOptions } from '../../src/nftables/compile/node-view.ts';
import { POD_RANGES } from '../support/netns/topology.ts';
import { readNewFlows } from '../support/netns/traffic/new-flows.ts';
import type { Cell } from './cells.ts';
import { dialledAt, type FastSide, type FastWay, type PortCount } from './fast-side.ts';
import { gridOf, type Told } from './grid.ts';
import { type GridWorld, optionsOf, type Setup } from './grid-world.ts';
import { dialGrid, isAnswered, type Result, SETUPS } from './run-grid.ts';
import { type GridService, hasLocalPolicy } from './services.ts';

export interface FastResult extends Result {
  /** It was answered, and none of its flows has begun in the node's stack. */
  readonly byFastPath: boolean;
}

export interface FastRun {
  readonly setup: string;
  /** `tcx` or `clsact`. */
  readonly attachedBy: string;
  readonly offloads: FastWay['offloads'];
  readonly results: readonly FastResult[];
  /** Flows that the programs have begun. */
  readonly flows: number;
  /** Service ports whose flows the programs have counted otherwise than they were dialled. */
  readonly miscounts: readonly string[];
}

/** Every way to set up nftlane, with offloads and without; and the first of them as kernels before 6.6 have it. */
export const FAST_RUNS: readonly { readonly setup: Setup; readonly way: FastWay }[] = SETUPS.flatMap((setup, index) => {
  const best: FastWay = { attach: 'best', offloads: index % 2 === 0 ? 'on' : 'off' };
  const older: FastWay = { attach: 'clsact', offloads: 'off' };
  return (index === 0 ? [best, older] : [best]).map((way) => ({ setup, way }));
});

/** Runs the cells of the Local policies. `alone` is what these cells have met without the fast path. */
export async function runFast(
  world: GridWorld,
  services: readonly GridService[],
  { setup, way, alone }: { setup: Setup; way: FastWay; alone: readonly Result[] },
): Promise<FastRun> {
  const grid = gridOf(world, services.filter(hasLocalPolicy), setup);
  const options = optionsOf(setup);
  const meant = new Set(grid.cells.filter((told) => isMeant(told, options)).map(({ cell }) => cell));
  const before = new Map(alone.map(({ cell, seen }) => [nameOf(cell), seen]));
  const fast = await world.makeFastSide(way);
  try {
    await world.proxy(grid.objects, setup, fast);
    await fast.untilServed(new Set([...meant].map(dialled)));
    const met = await dialGrid(world, grid);
    const hasBegun = await readNewFlows(world.node);
    const results = met.map((result): FastResult => {
      const { cell, seen, differences } = result;
      const byFastPath = isAnswered(result) && !hasBegun(cell.packet);
      const seenAlone = before.get(nameOf(cell)) ?? 'nothing, for it was not run';
      // Who is always led to the same endpoint may be led to another by another daemon.
      const isSame = cell.sticky || seen === seenAlone;
      const more = [
        ...(isSame ? [] : [`nft alone: ${seenAlone}, with the fast path: ${seen}`]),
        ...(byFastPath === meant.has(cell) ? [] : [`decided by ${byFastPath ? 'the fast path' : 'nft'}`]),
      ];
      return { ...result, byFastPath, differences: [...differences, ...more] };
    });
    return { setup: setup.words, offloads: way.offloads, results, ...(await counted(fast, results)) };
  } finally {
    await world.stop();
    await fast.end();
  }
}

/**
 * Whether a cell is to be decided by the fast path, according to docs/FAST-PATH.md: who is no pod comes in by the uplink
 * and is led to ready endpoints of this node, by a Service without affinity and the like; load balancer addresses only
 * where they are open to everybody.
 */
function isMeant({ cell, fate }: Told, { detectLocal }: Pick<ProxyOptions, 'detectLocal'>): boolean {
  const { packet, policy, destination, endpoints, sticky } = cell;
  if (packet.inInterface !== 'lan' || fate.outcome !== 'forward' || sticky) return false;
  if (detectLocal.mode === 'ClusterCIDR' && isOfPods(packet.source)) return false;
  if (!policy.endsWith('external Local') || destination.startsWith('cluster IP')) return false;
  if (destination === 'load balancer address' && hasRanges(cell)) return false;
  return !/^(?:leaving here|all leaving)/.test(endpoints);
}

function hasRanges({ policy, family }: Cell): boolean {
  return policy.startsWith('open to') && !(policy.includes(' in IPv4') && family === 'ip6');
}

function isOfPods(address: string): boolean {
  return Object.values(POD_RANGES).some((text) => {
    const block = parsePrefix(text);
    return block !== undefined && contains(block, address);
  });
}

/** What the programs have counted, held against what was dialled: each cell begins a flow, each connection at most one. */
async function counted(
  fast: FastSide,
  results: readonly FastResult[],
): Promise<Pick<FastRun, 'attachedBy' | 'flows' | 'miscounts'>> {
  const counts = await fast.portCounts();
  const byDialled = Map.groupBy(
    results.filter(({ byFastPath }) => byFastPath),
    ({ cell }) => dialled(cell),
  );
  const miscounts = counts.flatMap((count) => {
    const cells = count.dialled.flatMap((one) => byDialled.get(one) ?? []);
    return isRight(count, cells) ? [] : [sayCount(count, cells)];
  });
  const flows = counts.reduce((sum, { begun }) => sum + begun, 0);
  return { attachedBy: await fast.attachedBy(), flows, miscounts };
}

function isRight({ begun, answered }: PortCount, cells: readonly Result[]): boolean {
  return begun >= cells.length && begun <= connectionsOf(cells) && answered === begun;
}

function sayCount({ dialled, begun, answered }: PortCount, cells: readonly Result[]): string {
  const made = `${cells.length} cells with ${connectionsOf(cells)} connections`;
  return `${dialled.join(', ')}: ${made}, and ${begun} flows begun, ${answered} answered`;
}

function connectionsOf(cells: readonly Result[]): number {
  return cells.reduce((sum, { connections }) => sum + connections, 0);
}

function dialled({ packet: { destination: address, destinationPort: port, protocol } }: Cell): string {
  return dialledAt({ address, port, protocol });
}

/** The same for the same cell of another run. */
function nameOf({ client, destination, policy, endpoints, family, protocol }: Cell): string {
  return [client, destination, policy, endpoints, family, protocol].join(' / ');
}
