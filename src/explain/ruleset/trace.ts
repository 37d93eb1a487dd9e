// What a ruleset makes of the first packet of a flow: every end that it can come to, and the way there.
import { type Fate, type Landing, type Outcome, sortLandings } from '../flow/fate.ts';
import type { Host, Packet } from '../flow/packet.ts';
import type { Ruleset } from './ruleset.ts';
import { type Draw, type TraceStep, type Walked, walk } from './walk.ts';

/** A fate, and the way of the packet up to it. */
export interface Traced extends Fate {
  /** The rules that had a part in it, along the first of all possible ways: others differ by the endpoint drawn. */
  readonly steps: readonly TraceStep[];
  /** Outcomes of other ways, when not every draw ends alike: never in a sound ruleset. */
  readonly otherwise: readonly Outcome[];
}

/** Follows every way that the packet can take: where a number is drawn, each result in turn. */
export function trace(packet: Packet, ruleset: Ruleset, host: Host): Traced {
  const ways = [...allWays(packet, ruleset, host)];
  const outcomes = [...new Set(ways.map(({ walked }) => outcomeOf(walked)))];
  const [outcome = 'untouched', ...otherwise] = outcomes;
  const landings = ways.filter(({ walked }) => outcomeOf(walked) === 'forward').map(toLanding);
  return { outcome, landings: sortLandings(landings), steps: ways[0]?.walked.steps ?? [], otherwise };
}

interface Way {
  readonly walked: Walked;
  /** How much of all draws comes this way, from 0 to 1. */
  readonly share: number;
}

/** Depth first over the choices: each walk takes the ones before, and the first of all that follow. */
function* allWays(packet: Packet, ruleset: Ruleset, host: Host): Generator<Way> {
  let taken: number[] = [];
  for (;;) {
    const sizes: number[] = [];
    let share = 1;
    const choose = (draws: readonly Draw[]): Draw => {
      const index = taken[sizes.length] ?? 0;
      sizes.push(draws.length);
      const draw = draws[index] ?? { element: undefined, count: 0 };
      share *= draw.count / draws.reduce((sum, { count }) => sum + count, 0);
      return draw;
    };
    yield { walked: walk(packet, { ruleset, host, choose }), share };
    const path = sizes.map((_, index) => taken[index] ?? 0);
    while (path.length > 0 && (path.at(-1) ?? 0) + 1 >= (sizes[path.length - 1] ?? 0)) path.pop();
    if (path.length === 0) return;
    taken = [...path.slice(0, -1), (path.at(-1) ?? 0) + 1];
  }
}

function outcomeOf({ end, flow }: Walked): Outcome {
  if (end !== 'through') return end;
  return flow.translated ? 'forward' : 'untouched';
}

function toLanding({ walked: { flow }, share }: Way): Landing {
  return { address: flow.destination, port: flow.port, share, masquerade: flow.masqueraded };
}
