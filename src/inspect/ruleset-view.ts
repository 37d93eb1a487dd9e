// Views of the ruleset in the kernel, complete or for one Service.

import { compare } from '../lib/compare.ts';
import { printableLine } from '../lib/printable.ts';
import { FAMILIES } from '../net/family.ts';
import { allSetsAndMaps } from '../nftables/compile/sets-and-maps.ts';
import { namedBlock, setOrMapBlock, tableBlock } from '../nftables/syntax/block.ts';
import { verdictChain } from '../nftables/syntax/element.ts';
import type { CounterListing } from '../nftables/syntax/kernel-listing.ts';
import { printListedHook } from '../nftables/syntax/listed/listed-hook.ts';
import { parseRule } from '../nftables/syntax/listed/rule-parser.ts';
import type { ListedHook, ListedTable } from '../nftables/syntax/listed-table.ts';
import type { ListedElement } from '../nftables/syntax/listing.ts';
import { refKey } from '../nftables/syntax/object-ref.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { printRule, type Rule } from '../nftables/syntax/statement.ts';

interface RulesetObjectView {
  readonly family: 'ip' | 'ip6';
  readonly kind: 'set' | 'map';
  readonly name: string;
  readonly elements: readonly ListedElement[];
}

/** A rule as statements; one that this version does not write as its text. */
type RuleView = Rule | readonly { readonly kind: 'listed'; readonly text: string }[];

interface ChainView {
  readonly name: string;
  readonly hook?: ListedHook;
  readonly rules: readonly RuleView[];
}

interface RulesetView {
  /** With their flags: `owner` and `persist` say that other programs cannot change a table. */
  readonly tables: readonly Pick<ListedTable, 'family' | 'flags'>[];
  readonly objects: readonly RulesetObjectView[];
  readonly chains: readonly { readonly family: 'ip' | 'ip6'; readonly chain: ChainView }[];
}

/**
 * The elements and chains in the kernel. With a Service (`namespace/name`), only elements with its name in the comment,
 * and the chains that these name.
 */
export function viewRuleset(
  elementsByObject: CounterListing,
  tables: readonly ListedTable[],
  service?: string,
): RulesetView {
  const objects = allSetsAndMaps().map(({ family, kind, name }) => {
    const listed = elementsByObject.get(refKey({ family, name })) ?? [];
    const elements = service === undefined ? listed : listed.filter((element) => belongsTo(element, service));
    return { family, kind, name, elements: [...elements].sort((a, b) => compare(a.key, b.key)) };
  });
  const shown = service === undefined ? objects : objects.filter((object) => object.elements.length > 0);
  const targets = new Set(
    shown.flatMap(({ family, elements }) =>
      elements.map(({ data }) => refKey({ family, name: verdictChain(data) ?? '' })),
    ),
  );
  const chains = FAMILIES.flatMap((family) => chainsOf(tables, family).map((chain) => ({ family, chain })));
  const reachableChains = chains.filter(
    ({ family, chain }) => service === undefined || targets.has(refKey({ family, name: chain.name })),
  );
  return { tables: tables.map(({ family, flags }) => ({ family, flags })), objects: shown, chains: reachableChains };
}

function chainsOf(tables: readonly ListedTable[], family: 'ip' | 'ip6'): ChainView[] {
  const table = tables.find((candidate) => candidate.family === family && candidate.name === TABLE);
  return (table?.chains ?? []).map((chain) => ({
    ...chain,
    rules: chain.rules.map((text) => parseRule(text, family) ?? [{ kind: 'listed', text }]),
  }));
}

function belongsTo({ comment }: ListedElement, service: string): boolean {
  return comment === service || comment.startsWith(`${service}:`);
}

/** Prints a view in nft syntax, with the flags of tables and the counters of elements. */
export function printRuleset({ tables, objects, chains }: RulesetView): string {
  const bodies = new Map(allSetsAndMaps().map((object) => [refKey(object), object]));
  return FAMILIES.flatMap((family) => {
    const flags = tables.find((table) => table.family === family)?.flags ?? [];
    const blocks = [
      ...objects
        .filter((object) => object.family === family)
        .flatMap((object) => {
          const declared = bodies.get(refKey(object));
          return declared === undefined
            ? []
            : [setOrMapBlock(declared, object.elements.map(withCount(object.kind)).map(printableElement))];
        }),
      ...chains.filter((entry) => entry.family === family).map(({ chain }) => printChain(chain, family)),
    ];
    if (blocks.length === 0) return [];
    return [tableBlock(`${family} ${TABLE}`, [...(flags.length === 0 ? [] : [`flags ${flags.join(',')}`]), ...blocks])];
  }).join('\n');
}

/** Other programs can write any comment. */
function printableElement({ key, data, comment, ...rest }: ListedElement): ListedElement {
  return { ...rest, key: printableLine(key), data: printableLine(data), comment: printableLine(comment) };
}

function printChain({ name, hook, rules }: ChainView, family: 'ip' | 'ip6'): string {
  const printed = rules.map((rule) =>
    isListed(rule) ? rule.map(({ text }) => printableLine(text)).join(' ') : printRule(rule, family),
  );
  return namedBlock(`chain ${name}`, [...(hook === undefined ? [] : [printListedHook(hook)]), ...printed]);
}

function isListed(rule: RuleView): rule is Exclude<RuleView, Rule> {
  return rule[0]?.kind === 'listed';
}

/** Prints the counter where nft does: between key and comment. */
function withCount(kind: 'set' | 'map'): (element: ListedElement) => ListedElement {
  return (element) =>
    kind === 'set' ? element : { ...element, key: `${element.key} counter packets ${element.packets}` };
}
