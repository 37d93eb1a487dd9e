// Dials every cell of the grid and compares the observation with the expected outcome.

import type { Host } from '../../src/net/host.ts';
import { NODES } from '../support/netns/topology.ts';
import type { DialReport } from '../support/netns/traffic/programs/messages.ts';
import { type Cell, CLIENTS } from './cells.ts';
import type { ConformanceWorld, Setup } from './conformance-world.ts';
import { type ExpectedCell, type Grid, gridOf } from './grid.ts';
import { isAsExpected, type Observation, printObservation, toObservation } from './observation.ts';
import type { GridService } from './services.ts';

export interface Result {
  readonly setup: string;
  readonly cell: Cell;
  readonly expected: string;
  readonly seen: string;
  /** Differences between Services, ruleset and packets; empty when all agree. */
  readonly differences: readonly string[];
  readonly connections: number;
}

/** Cells dialed at the same time, for each client. */
const CONCURRENCY = 40;
const LONG_MS = 5_000;
/** How long to wait where no answer is expected; answers take milliseconds. */
const SHORT_MS = 400;
const ROUND = 6;
/** With 3 endpoints and 60 connections, an endpoint is missed in one of ten billion cells. */
const MAX_ROUNDS = 10;

/** Runs the grid with a setup of nftlane. */
export async function runGrid(
  world: ConformanceWorld,
  services: readonly GridService[],
  setup: Setup,
): Promise<Result[]> {
  const grid = await gridOf(world, services, setup);
  await world.proxy(grid.objects, setup);
  return await dialGrid(world, grid);
}

/** Dials every cell, in the order of the grid for each client. */
export async function dialGrid(world: ConformanceWorld, { setup, host, cells }: Grid): Promise<Result[]> {
  const checkCell = async ({ cell, expectedObservation, differences }: ExpectedCell): Promise<Result> => {
    const { seen, connections } = await observe(world, cell, expectedObservation, host);
    const [expected, observed] = [printObservation(expectedObservation), printObservation(seen)];
    const mismatches = isAsExpected(seen, expectedObservation, cell) ? [] : [`expected ${expected}, seen ${observed}`];
    const all = [...differences, ...mismatches];
    return { setup: setup.description, cell, expected, seen: observed, differences: all, connections };
  };
  const byClient = Map.groupBy(cells, ({ cell }) => cell.client);
  return (await Promise.all([...byClient.values()].map((list) => mapConcurrently(list, checkCell)))).flat();
}

/** Whether all connections were answered. */
export function isAnswered({ seen }: Pick<Result, 'seen'>): boolean {
  return !/^(?:refused|silent|mixed)/.test(seen);
}

/** Makes one connection, or as many as it takes to reach every eligible endpoint. */
async function observe(
  world: ConformanceWorld,
  { client, protocol, packet, ...cell }: Cell,
  expected: Observation,
  host: Host,
): Promise<{ seen: Observation; connections: number }> {
  const dialer = await world.dialer(CLIENTS[client].namespace);
  const { destination: address, destinationPort: port } = packet;
  const timeoutMs = expected.end === 'silent' ? SHORT_MS : LONG_MS;
  const hasChoice = expected.pods.length > 1;
  const reports: DialReport[] = [];
  for (let round = 0; round < (hasChoice ? MAX_ROUNDS : 1); round++) {
    reports.push(await dialer.dial({ protocol, address, port, count: hasChoice ? ROUND : 1, timeoutMs }));
    const seen = toObservation(reports, { client, protocol, packet, ...cell }, { host, expected });
    if (cell.sticky || seen.end !== 'answered' || seen.pods.length >= expected.pods.length) break;
  }
  const seen = toObservation(reports, { client, protocol, packet, ...cell }, { host, expected });
  return { seen, connections: reports.reduce((sum, { attempts }) => sum + attempts, 0) };
}

/** Like `map` with an asynchronous function and bounded concurrency. */
async function mapConcurrently<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
}

/** The blocks of the network that connects nodes and clients. */
const LAN = '192.168.77.0/24,fd00:77::/64';

/** The fewest setups that cover every way to detect pods and every kind of node port addresses. */
export const SETUPS: readonly Setup[] = [
  { description: 'pods detected by address, node ports at the primary address', flags: [] },
  {
    description: 'pods detected by interface, node ports at every address, all connections to cluster IPs masqueraded',
    flags: [
      ...['--detect-local-mode', 'InterfaceNamePrefix', '--pod-interface-name-prefix', 'pod-'],
      ...['--nodeport-addresses', '0.0.0.0/0,::/0', '--masquerade-all'],
    ],
  },
  {
    description: "pods detected by the node's own block, node ports at the addresses in blocks without the LAN",
    flags: [
      ...['--detect-local-mode', 'NodeCIDR'],
      ...['--nodeport-addresses', `${NODES.node1.pods.ip},${NODES.node1.pods.ip6},127.0.0.0/8,::1/128`],
    ],
  },
  {
    description: 'pods detected by one interface, node ports at the addresses in the blocks of the LAN',
    flags: [
      ...['--detect-local-mode', 'BridgeInterface', '--pod-bridge-interface', CLIENTS['a pod here'].inInterface],
      ...['--nodeport-addresses', LAN],
    ],
  },
];
