// Parses the objects of one manifest file.

import { printable } from '../../../lib/printable.ts';
import {
  KINDS,
  type Kind,
  kindOf,
  type ListedKind,
  listedKindOf,
  type ObjectOf,
} from '../../../services/objects/kinds.ts';
import { asArray, asObject, IssueCollector, type ReadResult } from '../../../services/objects/read.ts';
import type { ValidationIssue } from '../../../services/objects/validation-issue.ts';
import { ManifestError } from './manifest-error.ts';
import { type ManifestText, type ParsedDocument, readDocuments } from './read-documents.ts';

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
  /** Documents that cannot be parsed. */
  readonly errors: readonly ManifestError[];
  /** The number of objects of each other type, such as `v1 ConfigMap`. */
  readonly ignored: ReadonlyMap<string, number>;
}

/** A larger file is a mistake. */
export const MAX_MANIFEST_BYTES = 64 * 1024 ** 2;

/** Receives the contents of a file. */
export interface ManifestReceiver {
  /** An object of a kind that nftlane uses, as in the file, and where it is. */
  addObject(kind: Kind, value: unknown, location: string): void;
  addIssue(issue: ValidationIssue): void;
  addError(error: ManifestError): void;
  /** An object of another type. */
  addIgnored(type: string): void;
}

/** Collects the contents of a file. */
export class ManifestCollector implements ManifestReceiver, ParsedManifests {
  readonly objects: ManifestObject[] = [];
  readonly issues: ValidationIssue[] = [];
  readonly errors: ManifestError[] = [];
  readonly ignored = new Map<string, number>();

  addObject(kind: Kind, value: unknown, location: string): void {
    const result = KINDS[kind].read(value);
    this.objects.push({ kind, result: result.key === '' ? at(location, { kind, result }) : result });
  }

  addIssue(issue: ValidationIssue): void {
    this.issues.push(issue);
  }

  addError(error: ManifestError): void {
    this.errors.push(error);
  }

  addIgnored(type: string): void {
    const name = this.ignored.has(type) || this.ignored.size < MAX_TYPES ? type : 'others';
    this.ignored.set(name, (this.ignored.get(name) ?? 0) + 1);
  }
}

/** An object without a valid name is named by its place in the file. */
function at(location: string, { kind, result }: ManifestObject): ManifestObject['result'] {
  const issues = result.issues.map((issue) => ({ ...issue, object: `${kind} at ${location}` }));
  return { ...result, issues };
}

/** Only for a message. */
const [MAX_TYPES, MAX_TYPE_LENGTH] = [20, 100];

/**
 * Parses JSON, or YAML with any number of documents. `file` is used in messages; a name that ends in `.json` excludes YAML.
 */
export function parseManifests(text: string, file: string): ParsedManifests {
  const collector = new ManifestCollector();
  for (const _ of parseSteps({ text, file }, collector));
  return collector;
}

/**
 * The same in steps, one for each document, so that the caller can do other work in between. Throws `LargeDocument` only
 * with `maxYamlLength`.
 */
export function* parseSteps(manifest: ManifestText, receiver: ManifestReceiver): Generator<void> {
  for (const document of readDocuments(manifest)) {
    if ('error' in document) receiver.addError(document.error);
    else if ('ignoredType' in document) receiver.addIgnored(document.ignoredType);
    else collectDocument(document, manifest.file, receiver);
    yield;
  }
}

function collectDocument({ value, line }: ParsedDocument, file: string, receiver: ManifestReceiver): void {
  try {
    collect({ value, location: `${file}:${line}`, path: '', inherited: {} }, receiver);
  } catch (error) {
    // Deeply nested lists, or a field that is too deep to be printed in an issue.
    if (!(error instanceof RangeError)) throw error;
    receiver.addError(new ManifestError(file, 'it is nested too deeply', { at: { line, column: 1 }, cause: error }));
  }
}

/** A document, or an item of a list. */
interface Candidate {
  readonly value: unknown;
  /** `file:line` of the document. */
  readonly location: string;
  /** Its path in the document: empty, or such as `items[3].`. */
  readonly path: string;
  /** The type of an item without one: the API omits it in lists. */
  readonly inherited: ListedKind;
}

function collect(candidate: Candidate, receiver: ManifestReceiver): void {
  const { value, location, path, inherited } = candidate;
  const invalidField = findInvalidField(candidate);
  if (invalidField !== undefined) {
    const issues = new IssueCollector('Document', location);
    const effect = path === '' ? 'ignoring the document' : 'ignoring the item';
    issues.add({
      field: `${path}${invalidField.field}`.replace(/\.$/, '') || '(all)',
      value: invalidField.value,
      reason: invalidField.reason,
      effect,
    });
    for (const issue of issues.all) receiver.addIssue(issue);
    return;
  }
  const { apiVersion = inherited.apiVersion, kind: kindName = inherited.kind, items } = asObject(value);
  const kind = kindOf(apiVersion, kindName);
  const itemKind = kind === undefined ? listedKindOf(apiVersion, kindName) : undefined;
  if (kind !== undefined) {
    receiver.addObject(kind, value, path === '' ? location : `${location}, ${path.slice(0, -1)}`);
  } else if (itemKind !== undefined) {
    for (const [index, item] of asArray(items).entries()) {
      collect({ value: item, location, path: `${path}items[${index}].`, inherited: itemKind }, receiver);
    }
  } else {
    receiver.addIgnored(printable(`${apiVersion} ${kindName}`).slice(0, MAX_TYPE_LENGTH));
  }
}

/** The location of a document in a file with this name. */
const KUSTOMIZATION = /(?:^|\/)kustomization\.ya?ml:\d+$/;

function findInvalidField({
  value,
  location,
  path,
  inherited,
}: Candidate): { field: string; value: unknown; reason: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field: '', value, reason: `this ${path === '' ? 'document' : 'item'} is not an object` };
  }
  const named = { ...inherited, ...value };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof named[field] !== 'string' || named[field] === '') {
      const reason = KUSTOMIZATION.test(location)
        ? 'this file is for kustomize: use the output of `kubectl kustomize` instead'
        : 'every object must have an apiVersion and a kind';
      return { field, value: named[field], reason };
    }
  }
  return undefined;
}
