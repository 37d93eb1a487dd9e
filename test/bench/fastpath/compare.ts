// A comparison: the same load for each variant in turn, in several rounds.

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

/** The node drops the client's packets on the uplink (the cost of sending), or handles them without or with the programs. */
export type Variant = 'dropped' | 'without' | 'with';

export interface Comparison {
  readonly load: Load;
  readonly pod: PodName;
  readonly family: Family;
  /** To the pod's address, instead of its Service. */
  readonly direct?: boolean;
  readonly variants: readonly Variant[];
  /** How the programs are attached. */
  readonly hook: Hook;
}

/** One variant's part of a round. */
type Turn = Comparison & { readonly variant: Variant };

export interface BenchContext {
  readonly network: BenchNetwork;
  readonly programs: Programs;
  readonly servers: Readonly<Record<Family, Readonly<Record<PodName, Server>>>>;
  readonly rounds: number;
  readonly ms: number;
}

export type Round = Readonly<Partial<Record<Variant, LoadResult>>>;

/** A port without a server and without a Service. */
const DIRECT_PORT = 9;
/** The part of the datagrams that must arrive, and by the expected path. */
const MIN_DELIVERED_RATIO = 0.99;

export async function compare(context: BenchContext, comparison: Comparison): Promise<Round[]> {
  const rounds: Round[] = [];
  const { variants } = comparison;
  // The first round warms up.
  for (let n = 0; n <= context.rounds; n++) {
    const round: Partial<Record<Variant, LoadResult>> = {};
    for (const variant of n % 2 === 0 ? variants : variants.toReversed())
      round[variant] = await measureTurn(context, { ...comparison, variant });
    if (n > 0) rounds.push(round);
  }
  return rounds;
}

async function measureTurn(context: BenchContext, turn: Turn): Promise<LoadResult> {
  const { network, programs, servers, ms } = context;
  const { load, pod, family, variant, direct = false } = turn;
  if (variant === 'with') await programs.attach(turn.hook);
  else await programs.detach();
  await programs.flush();
  // Connections of earlier turns would fill the table, to the disadvantage of the variant without the programs.
  await network.node.exec('conntrack', ['-F']);
  if (variant === 'dropped') await addUdpDrop(network.node, UPLINK);
  try {
    const before = await deliveredDatagrams(context, turn);
    const [address, port] = direct ? [network.pod(pod)[family], DIRECT_PORT] : [NODE[family], NODE_PORTS[pod]];
    const result = await generateLoad(network.client, load, { address, port, ms, server: servers[family][pod] });
    const delivered = (await deliveredDatagrams(context, turn)) - before;
    await checkPath(context, turn, { sent: result.count, delivered });
    return result;
  } finally {
    if (variant === 'dropped') await removeUdpDrop(network.node);
  }
}

function isDatagrams({ kind }: Load): boolean {
  return kind === 'datagrams' || kind === 'scattered';
}

/** Datagrams that have arrived where they are dropped. */
async function deliveredDatagrams({ network }: BenchContext, { load, pod, variant }: Turn): Promise<number> {
  if (!isDatagrams(load)) return 0;
  return await droppedPackets(variant === 'dropped' ? network.node : network.pod(pod));
}

/** Throws when the load did not take the path that the turn is about. */
async function checkPath(
  { programs }: BenchContext,
  { load, variant, direct = false }: Turn,
  { sent, delivered }: { sent: number; delivered: number },
): Promise<void> {
  if (isDatagrams(load) && delivered < sent * MIN_DELIVERED_RATIO) {
    throw new Error(`Cannot compare: ${delivered} of ${sent} datagrams arrived (variant "${variant}")`);
  }
  const translated = await programs.fastPathPackets();
  const takesFastPath = variant === 'with' && !direct;
  // A stream is counted in bytes, and has fewer packets.
  const atLeast = load.kind === 'stream' ? 1 : sent * MIN_DELIVERED_RATIO;
  if (takesFastPath ? translated >= atLeast : translated === 0) return;
  throw new Error(`Cannot compare: ${translated} fast path packets for ${sent} ${load.kind} (variant "${variant}")`);
}
