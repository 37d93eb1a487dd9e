// Traces the first packet of a flow through a ruleset: all possible outcomes, and the path to the first one.

import type { Host } from '../../net/host.ts';
import { type Destination, type FlowOutcome, mergeDestinations, type Outcome } from '../flow/flow-outcome.ts';
import type { Packet } from '../flow/packet.ts';
import type { Ruleset } from '../ruleset/ruleset.ts';
import { walk } from './walk.ts';
import type { LookupResult, TraceStep, WalkResult } from './walk-result.ts';

interface TraceResult extends FlowOutcome {
  /** The rules that matched on the first of all possible paths. Other paths differ by the endpoint chosen. */
  readonly steps: readonly TraceStep[];
  /** Further outcomes, if paths end differently: always empty for a correct ruleset. */
  readonly otherOutcomes: readonly Outcome[];
  /** Rules that may change the outcome, because they cannot be evaluated. */
  readonly concerns: readonly string[];
}

/** Follows all paths of the packet: for a random number or a hash, each result in turn. */
export function trace(packet: Packet, ruleset: Ruleset, host: Host): TraceResult {
  const paths = [...allPaths(packet, ruleset, host)];
  const outcomes = [...new Set(paths.map(({ result }) => outcomeOf(result)))];
  const [outcome = 'untouched', ...otherOutcomes] = outcomes;
  const destinations = paths.filter(({ result }) => outcomeOf(result) === 'forward').map(toDestination);
  const endpoints = new Set(destinations.map(({ address, port }) => `${address} . ${port}`));
  const entries = new Map(paths.flatMap(({ result }) => [...result.affinityEntries]));
  const others = [...entries].filter(([, endpoint]) => !endpoints.has(endpoint));
  const concerns = new Set([
    ...paths.flatMap(({ result }) => [...result.concerns]),
    ...others.map(([map, endpoint]) => `${map}: the client has an entry with another endpoint, ${endpoint}`),
  ]);
  const steps = paths[0]?.result.steps ?? [];
  return { outcome, destinations: mergeDestinations(destinations), steps, otherOutcomes, concerns: [...concerns] };
}

interface TracePath {
  readonly result: WalkResult;
  /** The probability of this path. */
  readonly share: number;
}

/** Depth first over the choices: each walk repeats the previous ones and takes the first of all that follow. */
function* allPaths(packet: Packet, ruleset: Ruleset, host: Host): Generator<TracePath> {
  let choices: number[] = [];
  for (;;) {
    const sizes: number[] = [];
    let share = 1;
    const choose = (results: readonly LookupResult[]): LookupResult => {
      const index = choices[sizes.length] ?? 0;
      sizes.push(results.length);
      const result = results[index] ?? { element: undefined, count: 0 };
      share *= result.count / results.reduce((sum, { count }) => sum + count, 0);
      return result;
    };
    yield { result: walk(packet, { ruleset, host, choose }), share };
    const chosen = sizes.map((_, index) => choices[index] ?? 0);
    while (chosen.length > 0 && (chosen.at(-1) ?? 0) + 1 >= (sizes[chosen.length - 1] ?? 0)) chosen.pop();
    if (chosen.length === 0) return;
    choices = [...chosen.slice(0, -1), (chosen.at(-1) ?? 0) + 1];
  }
}

function outcomeOf({ end, packet }: WalkResult): Outcome {
  if (end !== 'through') return end;
  return packet.translated ? 'forward' : 'untouched';
}

function toDestination({ result: { packet }, share }: TracePath): Destination {
  return { address: packet.destination, port: packet.port, share, masquerade: packet.masqueraded };
}
