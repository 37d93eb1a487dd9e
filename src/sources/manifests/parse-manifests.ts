// The objects in the text of one file of manifests.
import type { Finding } from '../../services/objects/finding.ts';
import { KINDS, type Kind, kindOf, type ObjectOf } from '../../services/objects/kinds.ts';
import { Findings, fields, list, type Read } from '../../services/objects/read.ts';
import { ManifestError } from './manifest-error.ts';
import { readDocuments } from './read-documents.ts';

/** An object of a kind that this project reads. */
export interface ManifestObject {
  readonly kind: Kind;
  readonly read: Read<ObjectOf>;
}

export interface ParsedManifests {
  /** In the order of the file, lists flattened, repetitions included. */
  readonly objects: readonly ManifestObject[];
  /** What is wrong with documents that are no objects at all. The findings of an object are in its read. */
  readonly findings: readonly Finding[];
  /** How many objects are of kinds that nobody asked for. */
  readonly passedOver: number;
}

/** Beyond this a file is a mistake; a string of V8 could not be twice as long. */
export const MAX_MANIFEST_BYTES = 256 * 1024 ** 2;

/**
 * Reads YAML, of any number of documents, or JSON. `file` is for messages; a name that ends in `.json` rules YAML out.
 * Throws {@link ManifestError} when the text is neither.
 */
export function parseManifests(text: string, file: string): ParsedManifests {
  if (text.length > MAX_MANIFEST_BYTES) throw tooLarge(file);
  const gathered: Gathered = { objects: [], findings: [], passedOver: 0 };
  try {
    for (const { value, line } of readDocuments(text, file)) {
      const place = `${file}:${line}`;
      gather({ value, place, path: '', inherited: {} }, gathered);
    }
  } catch (error) {
    // Lists of lists of lists, or a field that is too deep to be shown in a finding.
    if (error instanceof RangeError) throw new ManifestError(file, 'it is nested too deeply', { cause: error });
    throw error;
  }
  return gathered;
}

/** The error of a file of more than {@link MAX_MANIFEST_BYTES}. */
export function tooLarge(file: string): ManifestError {
  return new ManifestError(file, `it is larger than ${MAX_MANIFEST_BYTES / 1024 ** 2} MiB`);
}

interface Gathered {
  readonly objects: ManifestObject[];
  readonly findings: Finding[];
  passedOver: number;
}

/** A document, or an item of a list. */
interface Candidate {
  readonly value: unknown;
  /** `file:line` of the document. */
  readonly place: string;
  /** Where it is in its document: empty, or for instance `items[3].`. */
  readonly path: string;
  /** What an item is when it does not say so itself: the API leaves it out in its own lists. */
  readonly inherited: { readonly apiVersion?: unknown; readonly kind?: unknown };
}

function gather(candidate: Candidate, gathered: Gathered): void {
  const { value, place, path, inherited } = candidate;
  const flaw = flawOf(candidate);
  if (flaw !== undefined) {
    const findings = new Findings('Document', place);
    const effect = path === '' ? 'the document is left out' : 'the item is left out';
    findings.add(`${path}${flaw.field}` || '(all)', flaw.value, flaw.reason, effect);
    gathered.findings.push(...findings.all);
    return;
  }
  const { apiVersion = inherited.apiVersion, kind: kindName = inherited.kind, items } = fields(value);
  const kind = kindOf(apiVersion, kindName);
  const itemTraits = kind === undefined ? itemTraitsOf(apiVersion, kindName) : undefined;
  if (kind !== undefined) {
    gathered.objects.push({ kind, read: KINDS[kind].read(value) });
  } else if (itemTraits !== undefined) {
    for (const [index, item] of list(items).entries()) {
      gather({ value: item, place, path: `${path}items[${index}].`, inherited: itemTraits }, gathered);
    }
  } else {
    gathered.passedOver += 1;
  }
}

function flawOf({ value, path, inherited }: Candidate): { field: string; value: unknown; reason: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field: '', value, reason: `this ${path === '' ? 'document' : 'item'} is not an object` };
  }
  const named = { ...inherited, ...value };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof named[field] !== 'string' || named[field] === '') {
      return { field, value: named[field], reason: 'every object must say its apiVersion and kind' };
    }
  }
  return undefined;
}

/** What the items of a list are; `undefined` when it is no list, or one of other things. */
function itemTraitsOf(apiVersion: unknown, kind: unknown): Candidate['inherited'] | undefined {
  if (apiVersion === 'v1' && kind === 'List') return {};
  const traits = Object.values(KINDS).find((known) => `${known.kind}List` === kind && known.apiVersion === apiVersion);
  return traits && { apiVersion: traits.apiVersion, kind: traits.kind };
}
