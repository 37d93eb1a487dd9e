// One comparison: the same load on each of several ways in turn, round after round.
import type { Family } from '../../../src/net/family.ts';
import { type Load, makeLoad, type Outcome, type Server } from './load.ts';
import { NODE, type Place, type PodName, sink, sunk, UPLINK, unsink } from './place.ts';
import type { Hook, Programs } from './programs.ts';
import { NODE_PORTS } from './rules.ts';

/**
 * What becomes of the client's packets: they end at the uplink, which shows what sending them costs; they meet the node as
 * it is without the programs; or with them.
 */
export type Way = 'ended' | 'without' | 'with';

export interface Comparison {
  readonly load: Load;
  readonly pod: PodName;
  readonly family: Family;
  /** Straight to the pod's address, instead of to a Service of it. */
  readonly straight?: boolean;
  readonly ways: readonly Way[];
  /** How the programs are attached. */
  readonly by: Hook;
}

export interface Arena {
  readonly place: Place;
  readonly programs: Programs;
  readonly servers: Readonly<Record<Family, Readonly<Record<PodName, Server>>>>;
  readonly rounds: number;
  readonly ms: number;
}

export type Round = Readonly<Partial<Record<Way, Outcome>>>;

/** Nobody serves it, and no Service has it. */
const STRAIGHT_PORT = 9;
/** So many of those that were sent must have come by the way they should. */
const LEAST = 0.99;

export async function compare(arena: Arena, comparison: Comparison): Promise<Round[]> {
  const rounds: Round[] = [];
  const { ways } = comparison;
  // The first round warms up.
  for (let n = 0; n <= arena.rounds; n++) {
    const round: Partial<Record<Way, Outcome>> = {};
    for (const way of n % 2 === 0 ? ways : ways.toReversed()) round[way] = await turn(arena, comparison, way);
    if (n > 0) rounds.push(round);
  }
  return rounds;
}

async function turn(arena: Arena, comparison: Comparison, way: Way): Promise<Outcome> {
  const { place, programs, servers, ms } = arena;
  const { load, pod, family, straight = false } = comparison;
  if (way === 'with') await programs.attach(comparison.by);
  else await programs.detach();
  await programs.forget();
  // Connections of another turn would fill the table; this is kind to the way without the programs.
  await place.node.exec('conntrack', ['-F']);
  if (way === 'ended') await sink(place.node, UPLINK);
  try {
    const before = await arrived(arena, comparison, way);
    const [address, port] = straight ? [place.pod(pod)[family], STRAIGHT_PORT] : [NODE[family], NODE_PORTS[pod]];
    const outcome = await makeLoad(place.client, load, { address, port, ms, server: servers[family][pod] });
    await check(arena, comparison, way, { outcome, came: (await arrived(arena, comparison, way)) - before });
    return outcome;
  } finally {
    if (way === 'ended') await unsink(place.node);
  }
}

function isDatagrams({ kind }: Load): boolean {
  return kind === 'datagrams' || kind === 'scattered';
}

/** Datagrams that have come to where they end. */
async function arrived({ place }: Arena, { load, pod }: Comparison, way: Way): Promise<number> {
  if (!isDatagrams(load)) return 0;
  return await sunk(way === 'ended' ? place.node : place.pod(pod));
}

/** A measurement of something else than was meant is none. */
async function check(
  { programs }: Arena,
  { load, straight = false }: Comparison,
  way: Way,
  { outcome, came }: { outcome: Outcome; came: number },
): Promise<void> {
  const { count } = outcome;
  if (isDatagrams(load) && came < count * LEAST) {
    throw new Error(`Cannot compare: of ${count} datagrams ${came} came (${way} the programs)`);
  }
  const translated = await programs.translated();
  const isTaken = way === 'with' && !straight;
  // The count of a stream is that of bytes, which are more than its packets.
  const isRight = isTaken ? translated >= (load.kind === 'stream' ? 1 : count * LEAST) : translated === 0;
  if (isRight) return;
  throw new Error(`Cannot compare: ${translated} packets by the fast path for ${count} of ${load.kind} (${way})`);
}
