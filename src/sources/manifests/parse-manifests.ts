// Parses the objects of one manifest file.

import { KINDS, type Kind, kindOf, type ObjectOf } from '../../services/objects/kinds.ts';
import { asArray, asObject, IssueCollector, type ReadResult } from '../../services/objects/read.ts';
import type { ValidationIssue } from '../../services/objects/validation-issue.ts';
import { ManifestError } from './manifest-error.ts';
import { readDocuments } from './read-documents.ts';

/** An object of a kind that nftlane uses. */
export interface ManifestObject {
  readonly kind: Kind;
  readonly result: ReadResult<ObjectOf>;
}

export interface ParsedManifests {
  /** In the order of the file, with lists flattened and repeated objects included. */
  readonly objects: readonly ManifestObject[];
  /** Issues of documents that are not objects; those of an object are in its `result`. */
  readonly issues: readonly ValidationIssue[];
  /** The number of objects of other kinds. */
  readonly ignored: number;
}

/** A larger file is a mistake. V8 limits strings to twice this length. */
export const MAX_MANIFEST_BYTES = 256 * 1024 ** 2;

/**
 * Parses JSON, or YAML with any number of documents. `file` is used in messages; a name that ends in `.json` excludes YAML.
 * Throws {@link ManifestError} for other text.
 */
export function parseManifests(text: string, file: string): ParsedManifests {
  if (text.length > MAX_MANIFEST_BYTES) throw tooLargeError(file);
  const accumulator: Accumulator = { objects: [], issues: [], ignored: 0 };
  try {
    for (const { value, line } of readDocuments(text, file)) {
      const location = `${file}:${line}`;
      collect({ value, location, path: '', inherited: {} }, accumulator);
    }
  } catch (error) {
    // Deeply nested lists, or a field that is too deep to be printed in an issue.
    if (error instanceof RangeError) throw new ManifestError(file, 'it is nested too deeply', { cause: error });
    throw error;
  }
  return accumulator;
}

/** The error of a file of more than {@link MAX_MANIFEST_BYTES}. */
export function tooLargeError(file: string): ManifestError {
  return new ManifestError(file, `it is larger than ${MAX_MANIFEST_BYTES / 1024 ** 2} MiB`);
}

interface Accumulator {
  readonly objects: ManifestObject[];
  readonly issues: ValidationIssue[];
  ignored: number;
}

/** A document, or an item of a list. */
interface Candidate {
  readonly value: unknown;
  /** `file:line` of the document. */
  readonly location: string;
  /** Its path in the document: empty, or such as `items[3].`. */
  readonly path: string;
  /** The type of an item without one: the API omits it in lists. */
  readonly inherited: { readonly apiVersion?: unknown; readonly kind?: unknown };
}

function collect(candidate: Candidate, accumulator: Accumulator): void {
  const { value, location, path, inherited } = candidate;
  const invalidField = findInvalidField(candidate);
  if (invalidField !== undefined) {
    const issues = new IssueCollector('Document', location);
    const effect = path === '' ? 'ignoring the document' : 'ignoring the item';
    issues.add({
      field: `${path}${invalidField.field}` || '(all)',
      value: invalidField.value,
      reason: invalidField.reason,
      effect,
    });
    accumulator.issues.push(...issues.all);
    return;
  }
  const { apiVersion = inherited.apiVersion, kind: kindName = inherited.kind, items } = asObject(value);
  const kind = kindOf(apiVersion, kindName);
  const itemTraits = kind === undefined ? itemTraitsOf(apiVersion, kindName) : undefined;
  if (kind !== undefined) {
    accumulator.objects.push({ kind, result: KINDS[kind].read(value) });
  } else if (itemTraits !== undefined) {
    for (const [index, item] of asArray(items).entries()) {
      collect({ value: item, location, path: `${path}items[${index}].`, inherited: itemTraits }, accumulator);
    }
  } else {
    accumulator.ignored += 1;
  }
}

function findInvalidField({
  value,
  path,
  inherited,
}: Candidate): { field: string; value: unknown; reason: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field: '', value, reason: `this ${path === '' ? 'document' : 'item'} is not an object` };
  }
  const named = { ...inherited, ...value };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof named[field] !== 'string' || named[field] === '') {
      return { field, value: named[field], reason: 'every object must have an apiVersion and a kind' };
    }
  }
  return undefined;
}

/** The type of the items of a list; `undefined` for lists of other kinds and for other objects. */
function itemTraitsOf(apiVersion: unknown, kind: unknown): Candidate['inherited'] | undefined {
  if (apiVersion === 'v1' && kind === 'List') return {};
  const traits = Object.values(KINDS).find((known) => `${known.kind}List` === kind && known.apiVersion === apiVersion);
  return traits && { apiVersion: traits.apiVersion, kind: traits.kind };
}
