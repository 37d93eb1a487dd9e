// Base chains: where they are in the path of a packet, and how those of other programs are run.

import { type Host, outputInterface } from '../../net/host.ts';
import type { ListedHook, ListedTable, TableChain } from '../../nftables/syntax/listed-table.ts';
import type { Ruleset } from '../ruleset/ruleset.ts';
import { type BaseChain, type BasePlace, translations } from './hook.ts';
import { ListedChains } from './listed-chains.ts';
import type { Place } from './match-condition.ts';
import type { TracedPacket } from './traced-packet.ts';
import type { TraceStep } from './walk-result.ts';

/** A packet at a hook. */
export interface Visit {
  readonly packet: TracedPacket;
  readonly place: Place;
  readonly concerns: Set<string>;
  readonly steps: TraceStep[];
}

/** A chain with an unknown priority comes first. */
export function toPlace({ hook, type, priority }: ListedHook): BasePlace {
  return { hook, type, priority: priority ?? Number.NEGATIVE_INFINITY };
}

/** A concern. */
export function sameOrder(chain: string): string {
  return `${chain}: it has the priority of another chain that translates`;
}

/** The base chains of other programs. */
export function otherBaseChains(ruleset: Ruleset, visit: Visit): BaseChain[] {
  return ruleset.others.flatMap((table) =>
    table.chains.flatMap((chain): BaseChain[] => {
      if (chain.hook === undefined || !isAtDevice(chain.hook, visit.packet, visit.place.host)) return [];
      return [
        {
          ...toPlace(chain.hook),
          run: () => run(table, chain, { ruleset, visit }),
          check: () => check(table, chain, visit),
        },
      ];
    }),
  );
}

function run(
  table: ListedTable,
  chain: TableChain,
  { ruleset, visit }: { readonly ruleset: Ruleset; readonly visit: Visit },
): ReturnType<BaseChain['run']> {
  const { packet, place, concerns, steps } = visit;
  const before = translations(packet);
  const listed = new ListedChains({ ...visit, table });
  const { end, rule } = listed.run(chain);
  if (listed.exemption !== undefined) steps.push({ hook: place.hook, ...listed.exemption, element: undefined });
  const isTranslated = translations(packet) !== before;
  const name = nameOf(table, chain);
  if (isTranslated && hasSamePlace(chain, ruleset)) concerns.add(sameOrder(name));
  const isEffective = end === 'drop' || end === 'refuse' || isTranslated;
  if (isEffective && rule !== undefined) steps.push({ hook: place.hook, chain: name, rule, element: undefined });
  return end;
}

function check(table: ListedTable, chain: TableChain, visit: Visit): void {
  const packet = { ...visit.packet };
  const concerns = new Set<string>();
  const { end } = new ListedChains({ ...visit, table, packet, concerns }).run(chain);
  const isHarmless = end !== 'drop' && end !== 'refuse' && concerns.size === 0;
  if (!isHarmless) visit.concerns.add(sameOrder(nameOf(table, chain)));
}

function nameOf({ family, name }: ListedTable, chain: TableChain): string {
  return `${family} ${name} ${chain.name}`;
}

/** Chains at `ingress` and `egress` see the packets of their devices only; true if the device of the packet is unknown. */
function isAtDevice({ hook, rest }: ListedHook, packet: TracedPacket, host: Host): boolean {
  if (hook !== 'ingress' && hook !== 'egress') return true;
  const device = hook === 'ingress' ? packet.inInterface : outputInterface(host, packet.destination);
  return device === undefined || device === '' || rest.split(/[^\w.@:-]+/).includes(device);
}

/** Whether a chain of ours translates at the same place. Which of both comes first is not listed. */
function hasSamePlace({ hook }: TableChain, { chains }: Ruleset): boolean {
  return [...chains.values()].some(
    (chain) => chain.hook?.type === 'nat' && chain.hook.hook === hook?.hook && chain.hook.priority === hook.priority,
  );
}
