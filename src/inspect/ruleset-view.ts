// Views of the ruleset in the kernel, complete or for one Service.

import { compare } from '../lib/compare.ts';
import { printableLine } from '../lib/printable.ts';
import { FAMILIES } from '../net/family.ts';
import { allSetsAndMaps } from '../nftables/compile/sets-and-maps.ts';
import { chainBlock, setOrMapBlock, tableBlock } from '../nftables/syntax/block.ts';
import { verdictChain } from '../nftables/syntax/element.ts';
import type { CounterListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../nftables/syntax/listing.ts';
import { refKey } from '../nftables/syntax/object-ref.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import type { Chain } from '../nftables/syntax/statement.ts';

interface RulesetObjectView {
  readonly family: 'ip' | 'ip6';
  readonly kind: 'set' | 'map';
  readonly name: string;
  readonly elements: readonly ListedElement[];
}

interface RulesetView {
  readonly objects: readonly RulesetObjectView[];
  readonly chains: readonly { readonly family: 'ip' | 'ip6'; readonly chain: Chain }[];
}

/**
 * The elements in the kernel, and the chains. With a Service (`namespace/name`), only elements with its name in the comment,
 * and the chains that these name.
 */
export function viewRuleset(
  elementsByObject: CounterListing,
  chainsOf: (family: 'ip' | 'ip6') => readonly Chain[],
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
  const chains = FAMILIES.flatMap((family) => chainsOf(family).map((chain) => ({ family, chain })));
  const reachableChains = chains.filter(
    ({ family, chain }) => service === undefined || targets.has(refKey({ family, name: chain.name })),
  );
  return { objects: shown, chains: reachableChains };
}

function belongsTo({ comment }: ListedElement, service: string): boolean {
  return comment === service || comment.startsWith(`${service}:`);
}

/** Prints a view in nft syntax, with the counters of elements. */
export function printRuleset({ objects, chains }: RulesetView): string {
  const bodies = new Map(allSetsAndMaps().map((object) => [refKey(object), object]));
  return FAMILIES.flatMap((family) => {
    const blocks = [
      ...objects
        .filter((object) => object.family === family)
        .flatMap((object) => {
          const declared = bodies.get(refKey(object));
          return declared === undefined
            ? []
            : [setOrMapBlock(declared, object.elements.map(withCount(object.kind)).map(printableElement))];
        }),
      ...chains.filter((entry) => entry.family === family).map(({ chain }) => chainBlock(chain, family)),
    ];
    return blocks.length === 0 ? [] : [tableBlock(`${family} ${TABLE}`, blocks)];
  }).join('\n');
}

/** Other programs can write any comment. */
function printableElement({ key, data, comment, ...rest }: ListedElement): ListedElement {
  return { ...rest, key: printableLine(key), data: printableLine(data), comment: printableLine(comment) };
}

/** Prints the counter where nft does: between key and comment. */
function withCount(kind: 'set' | 'map'): (element: ListedElement) => ListedElement {
  return (element) =>
    kind === 'set' ? element : { ...element, key: `${element.key} counter packets ${element.packets}` };
}
