// Compares the installed ruleset with the desired one.

import { joinLines } from '../lib/printable.ts';
import type { Family } from '../net/family.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import { serviceOf } from '../nftables/syntax/element.ts';
import type { KernelListing } from '../nftables/syntax/kernel-listing.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import type { Engine } from './engine.ts';
import type { StructureDifference } from './structure/compare-tables.ts';

export interface Drift {
  readonly family: Family;
  /** `table`, `set`, `map`, `chain` or another kind of object, and its name. */
  readonly object: string;
  /** The key of the element, or the part of the chain (`hook`, `rule 2`); empty for the object as a whole. */
  readonly key: string;
  readonly desired: string | undefined;
  readonly installed: string | undefined;
  /** The Service that it affects; empty where that is not known. */
  readonly service: string;
}

/** Compares the engine with a listing. The engine must have adopted that listing, and compiled, just before. */
export function findDrift(engine: Engine, { tables }: KernelListing): Drift[] {
  const structure =
    tables === undefined ? [] : engine.foreignChanges.compareTables(tables, engine.node).flatMap(structureDrift);
  return [...structure, ...engine.differences().map(elementDrift)];
}

/**
 * The drift that both comparisons found. While a daemon commits changes, a listing may be older or newer than the objects that
 * it is compared with; such differences do not last.
 */
export function persistentDrift(first: readonly Drift[], second: readonly Drift[]): Drift[] {
  const found = new Set(first.map((drift) => JSON.stringify(drift)));
  return second.filter((drift) => found.has(JSON.stringify(drift)));
}

function elementDrift({ object, key, installed, desired }: Change): Drift {
  return {
    family: object.family,
    object: `${object.kind} ${object.name}`,
    key,
    desired: desired === undefined ? undefined : withComment(desired),
    installed: installed === undefined ? undefined : withComment(installed),
    service: desired?.owner || serviceOf(installed?.comment ?? ''),
  };
}

function withComment({ data, comment }: { data: string; comment: string }): string {
  return [data, comment === '' ? '' : `(${comment})`].filter((part) => part !== '').join(' ') || 'present';
}

export function structureDrift(difference: StructureDifference): Drift[] {
  const { family, kind, name, state, desired, installed } = difference;
  const drift = { family, object: `${kind} ${name === '' ? TABLE : name}`, key: '', service: '' };
  if (state === 'missing') return [{ ...drift, desired: 'present', installed: undefined }];
  if (state === 'unexpected') {
    const hook = kind === 'chain' ? installed.find(isHook) : undefined;
    return [{ ...drift, desired: undefined, installed: hook ?? 'present' }];
  }
  const lines = changedLines(desired, installed);
  return lines.map(({ index, ...sides }) => ({
    ...drift,
    key: kind === 'chain' ? partOf(desired, index) : '',
    ...sides,
  }));
}

/** The lines that differ, without equal ones at the beginning and the end. */
function changedLines(
  desired: readonly string[],
  installed: readonly string[],
): { readonly index: number; readonly desired: string | undefined; readonly installed: string | undefined }[] {
  let first = 0;
  while (first < desired.length && desired[first] === installed[first]) first++;
  let same = 0;
  const shorter = Math.min(desired.length, installed.length) - first;
  while (same < shorter && desired.at(-1 - same) === installed.at(-1 - same)) same++;
  const changed = [desired, installed].map((lines) => lines.slice(first, lines.length - same));
  const count = Math.max(...changed.map((lines) => lines.length));
  return Array.from({ length: count }, (_, index) => ({
    index: first + index,
    desired: changed[0]?.[index],
    installed: changed[1]?.[index],
  }));
}

/** The part of a chain with this index in its lines. */
function partOf(desired: readonly string[], index: number): string {
  const hasHook = isHook(desired[0] ?? '');
  if (hasHook && index === 0) return 'hook';
  return `rule ${hasHook ? index : index + 1}`;
}

function isHook(line: string): boolean {
  return /^type \S+ hook /.test(line);
}

/** Lines as in a diff: `-` for the installed state, `+` for the desired one. */
export function printDrift(drifts: readonly Drift[]): string {
  const lines = drifts.flatMap(({ family, object, key, desired, installed }) => {
    const where = [family, object, key].filter((part) => part !== '').join(' ');
    return [
      ...(installed === undefined ? [] : [`- ${where}: ${installed}`]),
      ...(desired === undefined ? [] : [`+ ${where}: ${desired}`]),
    ];
  });
  return joinLines(lines);
}
