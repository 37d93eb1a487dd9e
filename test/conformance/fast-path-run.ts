// Runs the cells of the Local policies with the fast path: outcomes must be the same as with nft alone, and the decider
// of each cell (fast path or nft) must be the expected one.

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
  /** It was answered, and none of its flows began in the node's network stack. */
  readonly byFastPath: boolean;
}

export interface FastPathRun {
  readonly setup: string;
  /** `tcx` or `clsact`. */
  readonly attachedBy: string;
  readonly offloads: FastPathVariant['offloads'];
  readonly results: readonly FastPathResult[];
  /** Flows that the programs created. */
  readonly flows: number;
  /** Service ports whose counters do not fit the connections made. */
  readonly miscounts: readonly string[];
}

/** Every setup, with or without offloads; the first setup also by clsact, as on kernels before 6.6. */
export const FAST_PATH_RUNS: readonly { readonly setup: Setup; readonly variant: FastPathVariant }[] = SETUPS.flatMap(
  (setup, index) => {
    const best: FastPathVariant = { attach: 'best', offloads: index % 2 === 0 ? 'on' : 'off' };
    const older: FastPathVariant = { attach: 'clsact', offloads: 'off' };
    return (index === 0 ? [best, older] : [best]).map((variant) => ({ setup, variant }));
  },
);

/** Runs the cells of the Local policies. `withoutFastPath`: the results of these cells with nft alone. */
export async function runWithFastPath(
  world: ConformanceWorld,
  services: readonly GridService[],
  { setup, variant, withoutFastPath }: { setup: Setup; variant: FastPathVariant; withoutFastPath: readonly Result[] },
): Promise<FastPathRun> {
  const grid = await gridOf(world, services.filter(hasLocalPolicy), setup);
  const options = await optionsOf(setup);
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
      const seenWithout = before.get(cellKey(cell)) ?? 'nothing, because it was not run';
      // A sticky client may get another endpoint from another daemon.
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
 * Whether the fast path has to decide a cell, by docs/FAST-PATH.md: the client is not a pod and comes in by the uplink, and
 * the Service has ready endpoints on this node and neither affinity nor a hash; load balancer addresses only without
 * source ranges.
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
  return !/^(?:terminating here|all terminating)/.test(endpoints);
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

/** Compares the programs' counters with the connections made: a flow for each cell, at most one for each connection. */
async function checkCounts(
  fast: FastPathNode,
  results: readonly FastPathResult[],
): Promise<Pick<FastPathRun, 'attachedBy' | 'flows' | 'miscounts'>> {
  const counts = await fast.portCounts();
  const cellsByTarget = Map.groupBy(
    results.filter(({ byFastPath }) => byFastPath),
    ({ cell }) => targetOf(cell),
  );
  const miscounts = counts.flatMap((count) => {
    const cells = count.targets.flatMap((target) => cellsByTarget.get(target) ?? []);
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
  return `${targets.join(', ')}: ${made}, but ${created} flows created, ${answered} answered`;
}

function connectionsOf(cells: readonly Result[]): number {
  return cells.reduce((sum, { connections }) => sum + connections, 0);
}

function targetOf({ packet: { destination: address, destinationPort: port, protocol } }: Cell): string {
  return formatTarget({ address, port, protocol });
}

/** A key that is the same in every run. */
function cellKey({ client, destination, policy, endpoints, family, protocol }: Cell): string {
  return [client, destination, policy, endpoints, family, protocol].join(' / ');
}
