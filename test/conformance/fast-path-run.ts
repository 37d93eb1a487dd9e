// The cells of the Local policies once more, with the fast path on: what they meet must be the same, and of every cell it
// must be known who has decided it.

import { contains, parsePrefix } from '../../src/net/prefix.ts';
import type { ProxyOptions } from '../../src/nftables/compile/node-view.ts';
import { POD_CIDRS } from '../support/netns/topology.ts';
import { readNewFlows } from '../support/netns/traffic/new-flows.ts';
import type { Cell } from './cells.ts';
import { type ConformanceWorld, optionsOf, type Setup } from './conformance-world.ts';
import { type FastPathNode, type FastPathVariant, formatTarget, type PortCount } from './fast-path-node.ts';
import { type ExpectedCell, gridOf } from './grid.ts';
import { dialGrid, isAnswered, type Result, SETUPS } from './run-grid.ts';
import { type GridService, hasLocalPolicy } from './services.ts';

export interface FastPathResult extends Result {
  /** It was answered, and none of its flows has begun in the node's stack. */
  readonly byFastPath: boolean;
}

export interface FastPathRun {
  readonly setup: string;
  /** `tcx` or `clsact`. */
  readonly attachedBy: string;
  readonly offloads: FastPathVariant['offloads'];
  readonly results: readonly FastPathResult[];
  /** Flows that the programs have begun. */
  readonly flows: number;
  /** Service ports whose flows the programs have counted otherwise than they were dialled. */
  readonly miscounts: readonly string[];
}

/** Every way to set up nftlane, with offloads and without; and the first of them as kernels before 6.6 have it. */
export const FAST_PATH_RUNS: readonly { readonly setup: Setup; readonly way: FastPathVariant }[] = SETUPS.flatMap(
  (setup, index) => {
    const best: FastPathVariant = { attach: 'best', offloads: index % 2 === 0 ? 'on' : 'off' };
    const older: FastPathVariant = { attach: 'clsact', offloads: 'off' };
    return (index === 0 ? [best, older] : [best]).map((way) => ({ setup, way }));
  },
);

/** Runs the cells of the Local policies. `alone` is what these cells have met without the fast path. */
export async function runWithFastPath(
  world: ConformanceWorld,
  services: readonly GridService[],
  { setup, way: variant, alone: withoutFastPath }: { setup: Setup; way: FastPathVariant; alone: readonly Result[] },
): Promise<FastPathRun> {
  const grid = gridOf(world, services.filter(hasLocalPolicy), setup);
  const options = optionsOf(setup);
  const eligible = new Set(grid.cells.filter((expected) => isEligible(expected, options)).map(({ cell }) => cell));
  const before = new Map(withoutFastPath.map(({ cell, seen }) => [cellKey(cell), seen]));
  const fast = await world.createFastPathNode(variant);
  try {
    await world.proxy(grid.objects, setup, fast);
    await fast.waitUntilServed(new Set([...eligible].map(targetOf)));
    const observed = await dialGrid(world, grid);
    const hasBegun = await readNewFlows(world.node);
    const results = observed.map((result): FastPathResult => {
      const { cell, seen, differences } = result;
      const byFastPath = isAnswered(result) && !hasBegun(cell.packet);
      const seenWithout = before.get(cellKey(cell)) ?? 'nothing, for it was not run';
      // Who is always led to the same endpoint may be led to another by another daemon.
      const isSame = cell.sticky || seen === seenWithout;
      const more = [
        ...(isSame ? [] : [`nft alone: ${seenWithout}, with the fast path: ${seen}`]),
        ...(byFastPath === eligible.has(cell) ? [] : [`decided by ${byFastPath ? 'the fast path' : 'nft'}`]),
      ];
      return { ...result, byFastPath, differences: [...differences, ...more] };
    });
    return { setup: setup.description, offloads: variant.offloads, results, ...(await checkCounts(fast, results)) };
  } finally {
    await world.stop();
    await fast.close();
  }
}

/**
 * Whether a cell is to be decided by the fast path, according to docs/FAST-PATH.md: who is no pod comes in by the uplink
 * and is led to ready endpoints of this node, by a Service without affinity and the like; load balancer addresses only
 * where they are open to everybody.
 */
function isEligible(
  { cell, expectedOutcome }: ExpectedCell,
  { detectLocal }: Pick<ProxyOptions, 'detectLocal'>,
): boolean {
  const { packet, policy, destination, endpoints, sticky } = cell;
  if (packet.inInterface !== 'lan' || expectedOutcome.outcome !== 'forward' || sticky) return false;
  if (detectLocal.mode === 'ClusterCIDR' && isOfPods(packet.source)) return false;
  if (!policy.endsWith('external Local') || destination.startsWith('cluster IP')) return false;
  if (destination === 'load balancer address' && hasRanges(cell)) return false;
  return !/^(?:leaving here|all leaving)/.test(endpoints);
}

function hasRanges({ policy, family }: Cell): boolean {
  return policy.startsWith('open to') && !(policy.includes(' in IPv4') && family === 'ip6');
}

function isOfPods(address: string): boolean {
  return Object.values(POD_CIDRS).some((text) => {
    const block = parsePrefix(text);
    return block !== undefined && contains(block, address);
  });
}

/** What the programs have counted, held against what was dialled: each cell begins a flow, each connection at most one. */
async function checkCounts(
  fast: FastPathNode,
  results: readonly FastPathResult[],
): Promise<Pick<FastPathRun, 'attachedBy' | 'flows' | 'miscounts'>> {
  const counts = await fast.portCounts();
  const byDialled = Map.groupBy(
    results.filter(({ byFastPath }) => byFastPath),
    ({ cell }) => targetOf(cell),
  );
  const miscounts = counts.flatMap((count) => {
    const cells = count.targets.flatMap((one) => byDialled.get(one) ?? []);
    return isPlausible(count, cells) ? [] : [describeMiscount(count, cells)];
  });
  const flows = counts.reduce((sum, { created }) => sum + created, 0);
  return { attachedBy: await fast.attachedBy(), flows, miscounts };
}

function isPlausible({ created, answered }: PortCount, cells: readonly Result[]): boolean {
  return created >= cells.length && created <= connectionsOf(cells) && answered === created;
}

function describeMiscount({ targets, created, answered }: PortCount, cells: readonly Result[]): string {
  const made = `${cells.length} cells with ${connectionsOf(cells)} connections`;
  return `${targets.join(', ')}: ${made}, and ${created} flows begun, ${answered} answered`;
}

function connectionsOf(cells: readonly Result[]): number {
  return cells.reduce((sum, { connections }) => sum + connections, 0);
}

function targetOf({ packet: { destination: address, destinationPort: port, protocol } }: Cell): string {
  return formatTarget({ address, port, protocol });
}

/** The same for the same cell of another run. */
function cellKey({ client, destination, policy, endpoints, family, protocol }: Cell): string {
  return [client, destination, policy, endpoints, family, protocol].join(' / ');
}
