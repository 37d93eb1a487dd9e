// One comparison: the same load on each of several ways in turn, round after round.
import type { Family } from '../../../src/net/family.ts';
import {
  addUdpDrop,
  type BenchNetwork,
  droppedPackets,
  NODE,
  type PodName,
  removeUdpDrop,
  UPLINK,
} from './bench-network.ts';
import { generateLoad, type Load, type LoadResult, type Server } from './load-generator.ts';
import type { Hook, Programs } from './programs.ts';
import { NODE_PORTS } from './rules.ts';

/**
 * What becomes of the client's packets: they end at the uplink, which shows what sending them costs; they meet the node as
 * it is without the programs; or with them.
 */
export type Variant = 'dropped' | 'without' | 'with';

export interface Comparison {
  readonly load: Load;
  readonly pod: PodName;
  readonly family: Family;
  /** Straight to the pod's address, instead of to a Service of it. */
  readonly direct?: boolean;
  readonly variants: readonly Variant[];
  /** How the programs are attached. */
  readonly hook: Hook;
}

export interface BenchContext {
  readonly network: BenchNetwork;
  readonly programs: Programs;
  readonly servers: Readonly<Record<Family, Readonly<Record<PodName, Server>>>>;
  readonly rounds: number;
  readonly ms: number;
}

export type Round = Readonly<Partial<Record<Variant, LoadResult>>>;

/** Nobody serves it, and no Service has it. */
const DIRECT_PORT = 9;
/** So many of those that were sent must have come by the way they should. */
const MIN_DELIVERED_RATIO = 0.99;

export async function compare(arena: BenchContext, comparison: Comparison): Promise<Round[]> {
  const rounds: Round[] = [];
  const { variants } = comparison;
  // The first round warms up.
  for (let n = 0; n <= arena.rounds; n++) {
    const round: Partial<Record<Variant, LoadResult>> = {};
    for (const way of n % 2 === 0 ? variants : variants.toReversed())
      round[way] = await measureOnce(arena, comparison, way);
    if (n > 0) rounds.push(round);
  }
  return rounds;
}

async function measureOnce(arena: BenchContext, comparison: Comparison, way: Variant): Promise<LoadResult> {
  const { network, programs, servers, ms } = arena;
  const { load, pod, family, direct = false } = comparison;
  if (way === 'with') await programs.attach(comparison.hook);
  else await programs.detach();
  await programs.flush();
  // Connections of another turn would fill the table; this is kind to the way without the programs.
  await network.node.exec('conntrack', ['-F']);
  if (way === 'dropped') await addUdpDrop(network.node, UPLINK);
  try {
    const before = await deliveredDatagrams(arena, comparison, way);
    const [address, port] = direct ? [network.pod(pod)[family], DIRECT_PORT] : [NODE[family], NODE_PORTS[pod]];
    const outcome = await generateLoad(network.client, load, { address, port, ms, server: servers[family][pod] });
    await checkPath(arena, comparison, way, {
      outcome,
      came: (await deliveredDatagrams(arena, comparison, way)) - before,
    });
    return outcome;
  } finally {
    if (way === 'dropped') await removeUdpDrop(network.node);
  }
}

function isDatagrams({ kind }: Load): boolean {
  return kind === 'datagrams' || kind === 'scattered';
}

/** Datagrams that have come to where they end. */
async function deliveredDatagrams({ network }: BenchContext, { load, pod }: Comparison, way: Variant): Promise<number> {
  if (!isDatagrams(load)) return 0;
  return await droppedPackets(way === 'dropped' ? network.node : network.pod(pod));
}

/** A measurement of something else than was meant is none. */
async function checkPath(
  { programs }: BenchContext,
  { load, direct = false }: Comparison,
  way: Variant,
  { outcome, came }: { outcome: LoadResult; came: number },
): Promise<void> {
  const { count } = outcome;
  if (isDatagrams(load) && came < count * MIN_DELIVERED_RATIO) {
    throw new Error(`Cannot compare: of ${count} datagrams ${came} came (${way} the programs)`);
  }
  const translated = await programs.fastPathPackets();
  const isTaken = way === 'with' && !direct;
  // The count of a stream is that of bytes, which are more than its packets.
  const isRight = isTaken ? translated >= (load.kind === 'stream' ? 1 : count * MIN_DELIVERED_RATIO) : translated === 0;
  if (isRight) return;
  throw new Error(`Cannot compare: ${translated} packets by the fast path for ${count} of ${load.kind} (${way})`);
}
