// Dials every cell of the grid and compares what is seen with what route and trace say.
import { differencesOf } from '../../src/net/fate.ts';
import type { Host } from '../../src/net/packet.ts';
import { route } from '../../src/route/route.ts';
import { trace } from '../../src/trace/trace.ts';
import { engineOf } from '../given/engine.ts';
import { directoryOf, rulesetOf } from '../given/rulesets.ts';
import { NODES } from '../netns/topology.ts';
import type { Report } from '../netns/traffic.ts';
import { type Cell, CLIENTS, gridCells } from './cells.ts';
import { type GridWorld, optionsOf, type Setup } from './grid-world.ts';
import { expectedSight, isAsExpected, printSight, type Sight, toSight } from './judge.ts';
import { type GridService, gridSurroundings, PODS } from './services.ts';

export interface Result {
  readonly setup: string;
  readonly cell: Cell;
  readonly expected: string;
  readonly seen: string;
  /** In what the three tellers differ; empty when all agree. */
  readonly differences: readonly string[];
  readonly connections: number;
}

/** Cells under way at a time, for each client. */
const CONCURRENCY = 40;
const LONG_MS = 5_000;
/** How long to wait where nothing shall come: what comes takes milliseconds. */
const SHORT_MS = 400;
const ROUND = 6;
/** With 3 endpoints and 60 draws one is never seen in one of ten billion cells. */
const MAX_ROUNDS = 10;

/** Runs the grid with nftlane set up in this way. */
export async function runGrid(world: GridWorld, services: readonly GridService[], setup: Setup): Promise<Result[]> {
  const addressOf = (place: string) => world.addressOf(place);
  const objects = [...gridSurroundings(), ...services.flatMap((service) => service.objects(addressOf))];
  await world.proxy(objects, setup);
  const { host } = world;
  const engine = engineOf(objects, optionsOf(setup));
  engine.setHostAddresses(host.addresses);
  engine.compile();
  const directory = directoryOf(engine, host);
  const rulesets = { ip: rulesetOf(engine, 'ip'), ip6: rulesetOf(engine, 'ip6') };
  const names = new Map(
    Object.keys(PODS).flatMap((pod) => Object.values(addressesOf(world, pod)).map((at) => [at, pod])),
  );
  const podAt = (address: string) => names.get(address) ?? address;

  const judge = async (cell: Cell): Promise<Result> => {
    const verdict = route(cell.packet, directory);
    const traced = trace(cell.packet, rulesets[cell.family], host);
    const expected = expectedSight(cell, verdict, { host, podAt });
    const { seen, connections } = await look(world, cell, expected, host);
    const differences = differencesOf(verdict, traced, { a: 'route', b: 'trace' });
    if (!isAsExpected(seen, expected, cell))
      differences.push(`expected ${printSight(expected)}, seen ${printSight(seen)}`);
    return {
      setup: setup.words,
      cell,
      expected: printSight(expected),
      seen: printSight(seen),
      differences,
      connections,
    };
  };
  const cells = gridCells(services, addressOf);
  const byClient = Map.groupBy(cells, ({ client }) => client);
  return (await Promise.all([...byClient.values()].map((list) => mapSome(list, judge)))).flat();
}

function addressesOf(world: GridWorld, pod: string): { ip: string; ip6: string } {
  const { ip, ip6 } = world.addressOf(pod);
  return { ip, ip6 };
}

/** One connection, or as many as it takes to see every endpoint that can be chosen. */
async function look(
  world: GridWorld,
  { client, protocol, packet, ...cell }: Cell,
  expected: Sight,
  host: Host,
): Promise<{ seen: Sight; connections: number }> {
  const dialer = await world.dialer(CLIENTS[client].place);
  const { destination: address, destinationPort: port } = packet;
  const timeoutMs = expected.end === 'silent' ? SHORT_MS : LONG_MS;
  const hasChoice = expected.pods.length > 1;
  const reports: Report[] = [];
  for (let round = 0; round < (hasChoice ? MAX_ROUNDS : 1); round++) {
    reports.push(await dialer.dial({ protocol, address, port, count: hasChoice ? ROUND : 1, timeoutMs }));
    const seen = toSight(reports, { client, protocol, packet, ...cell }, { host, expected });
    if (cell.sticky || seen.end !== 'answered' || seen.pods.length >= expected.pods.length) break;
  }
  const seen = toSight(reports, { client, protocol, packet, ...cell }, { host, expected });
  return { seen, connections: reports.reduce((sum, { attempts }) => sum + attempts, 0) };
}

/** Like `map`, a bounded number at a time. */
async function mapSome<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
}

/** The blocks of the network between nodes and clients. */
const LAN = '192.168.77.0/24,fd00:77::/64';

/** Every way to tell pods and every kind of node port addresses, in the fewest setups that have them all. */
export const SETUPS: readonly Setup[] = [
  { words: 'pods told by address, node ports at the primary address', flags: [] },
  {
    words: 'pods told by interface, node ports at every address, all connections to cluster IPs masqueraded',
    flags: [
      ...['--detect-local-mode', 'InterfaceNamePrefix', '--pod-interface-name-prefix', 'pod-'],
      ...['--nodeport-addresses', '0.0.0.0/0,::/0', '--masquerade-all'],
    ],
  },
  {
    words: "pods told by the node's own block, node ports at the addresses inside blocks that leave out the lan",
    flags: [
      ...['--detect-local-mode', 'NodeCIDR'],
      ...['--nodeport-addresses', `${NODES.node1.pods.ip},${NODES.node1.pods.ip6},127.0.0.0/8,::1/128`],
    ],
  },
  {
    words: 'pods told by one interface, node ports at the addresses inside blocks that are the lan',
    flags: [
      ...['--detect-local-mode', 'BridgeInterface', '--pod-bridge-interface', CLIENTS['a pod here'].inInterface],
      ...['--nodeport-addresses', LAN],
    ],
  },
];
