// Parses the documents of one file, YAML or JSON.

import { Composer, isCollection, isNode, isScalar, LineCounter, Parser, visit } from 'yaml';
import { errorMessage } from '../../../lib/error-message.ts';
import { TEMPLATE, UNRENDERED_TEMPLATE } from '../../../services/objects/read.ts';
import { locateJsonError } from './locate-json-error.ts';
import { ManifestError, type Position } from './manifest-error.ts';
import { type DocumentText, ignoredTypeOf, splitDocuments } from './split-documents.ts';

export interface ParsedDocument {
  readonly value: unknown;
  /** Its first line, counted from 1. */
  readonly line: number;
}

/** A document; the type of one that nftlane does not use; or an error, which does not affect the other documents. */
type ReadDocument = ParsedDocument | { readonly ignoredType: string } | { readonly error: ManifestError };

export interface ManifestText {
  readonly text: string;
  /** For messages. A name that ends in `.json` excludes YAML. */
  readonly file: string;
  /** Stops with {@link LargeDocument} at a longer YAML document: parsing takes about 4 ms per KiB at worst. */
  readonly maxYamlLength?: number;
}

/** A document is too large to be parsed in this thread. */
export class LargeDocument extends Error {
  override readonly name = 'LargeDocument';
}

/** The documents that are not empty, in order. Each is parsed when it is taken. */
export function* readDocuments({ text: given, ...rest }: ManifestText): Generator<ReadDocument> {
  const manifest = { ...rest, text: given.startsWith(BYTE_ORDER_MARK) ? given.slice(1) : given };
  if (isJson(manifest.text)) yield* readJson(manifest);
  else yield* readYaml(manifest);
}

const BYTE_ORDER_MARK = '\uFEFF';

/** Whether the text begins like JSON: JSON.parse is 50 times as fast as the YAML parser. */
function isJson(text: string): boolean {
  return /^\s*[{[]/.test(text);
}

function* readJson(manifest: ManifestText): Generator<ReadDocument> {
  const { text, file } = manifest;
  let document: ReadDocument;
  try {
    document = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = offsetOf(error, text);
    // `{a: b}` is YAML. A truncated text is still being written, which the YAML parser would take long to find.
    if (!file.endsWith('.json') && offset < text.trimEnd().length) return yield* readYaml(manifest);
    const at = positionOf(offset, lineCounterOf(text));
    document = { error: new ManifestError(file, reasonOf(error), { at, cause: error }) };
  }
  yield document;
}

function parseJson(text: string): ParsedDocument {
  return { value: JSON.parse(text), line: lineCounterOf(text.slice(0, text.search(/\S/))).lineStarts.length };
}

function offsetOf({ message }: SyntaxError, text: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  return message.includes('end of JSON') ? text.trimEnd().length : locateJsonError(text);
}

/** The message without the position and the excerpt that V8 appends. */
function reasonOf({ message }: SyntaxError): string {
  return message.replace(/(?: in JSON)? at position .*$/s, '').replace(/, (?:\.\.\.)?".*$/s, '');
}

function* readYaml({ text, file, maxYamlLength = Number.POSITIVE_INFINITY }: ManifestText): Generator<ReadDocument> {
  for (const document of splitDocuments(text)) {
    const ignoredType = ignoredTypeOf(document.text);
    const json = ignoredType === undefined ? parseJsonDocument(document) : undefined;
    if (ignoredType !== undefined) yield { ignoredType };
    else if (json !== undefined) yield json;
    else if (document.text.length > maxYamlLength) throw new LargeDocument();
    else yield* readYamlDocument(document, file);
  }
}

/** A document that is JSON, as `kubectl -o json` prints it; `undefined` for another one. */
function parseJsonDocument({ text, line: firstLine }: DocumentText): ParsedDocument | undefined {
  const content = text.startsWith('---') ? text.slice(3) : text;
  if (!isJson(content)) return undefined;
  try {
    const { value, line } = parseJson(content);
    return { value, line: firstLine + line - 1 };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function* readYamlDocument(document: DocumentText, file: string): Generator<ReadDocument> {
  try {
    yield* composeDocuments(document, file);
  } catch (error) {
    // The parser is recursive.
    if (!(error instanceof RangeError)) throw error;
    yield { error: new ManifestError(file, 'it is nested too deeply', { at: { line: document.line, column: 1 } }) };
  }
}

/** The library finds another document where content follows a document without a marker, which is an error. */
function* composeDocuments({ text, line: firstLine }: DocumentText, file: string): Generator<ReadDocument> {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, column } = positionOf(offset, lines);
    return { line: line + firstLine - 1, column };
  };
  // The library compares each key of a map with all others: 90,000 keys would take minutes.
  const composer = new Composer({ merge: true, uniqueKeys: false, logLevel: 'error' });
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(text))) {
    const [error] = document.errors;
    const invalid =
      error === undefined
        ? findInvalidKey(document, text)
        : { message: templateReason(text, error.pos[0]) ?? error.message, offset: error.pos[0] };
    if (invalid !== undefined) {
      yield { error: new ManifestError(file, invalid.message, { at: at(invalid.offset), cause: error }) };
      return;
    }
    const position = at(document.contents?.range?.[0] ?? document.range[0]);
    const read = toValue(document, { file, at: position });
    if ('error' in read || (read.value !== null && read.value !== undefined)) yield read;
  }
}

interface InvalidKey {
  readonly message: string;
  readonly offset: number;
}

/** A repeated key of any map, or one that JSON cannot have, such as `{ .Values.name }` in `name: {{ .Values.name }}`. */
function findInvalidKey(document: Parameters<typeof visit>[0], text: string): InvalidKey | undefined {
  let invalid: InvalidKey | undefined;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0;
        if (isCollection(key))
          invalid = { message: templateReason(text, offset) ?? 'Map keys must be scalars', offset };
        else if (isScalar(key) && key.value !== MERGE_KEY && seen.has(key.value))
          invalid = { message: 'Map keys must be unique', offset };
        if (invalid !== undefined) return visit.BREAK;
        if (isScalar(key)) seen.add(key.value);
      }
      return undefined;
    },
  });
  return invalid;
}

/** The reason of an error in a line with the marks of Helm, Go or Jinja templates. */
function templateReason(text: string, offset: number): string | undefined {
  const start = text.lastIndexOf('\n', Math.max(offset - 1, 0)) + 1;
  const end = text.indexOf('\n', offset);
  const line = text.slice(start, end < 0 ? text.length : end);
  return TEMPLATE.test(line) ? UNRENDERED_TEMPLATE : undefined;
}

const MERGE_KEY = '<<';

/** Resolves aliases: unknown ones, those that expand without limit, and merges of anything but a map are found here. */
function toValue(
  document: { toJS(): unknown },
  { file, at }: { file: string; at: Position },
): ParsedDocument | { readonly error: ManifestError } {
  try {
    return { value: document.toJS(), line: at.line };
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return { error: new ManifestError(file, errorMessage(error), { at, cause: error }) };
  }
}

function positionOf(offset: number, lines: LineCounter): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function lineCounterOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) lines.addNewLine(end + 1);
  return lines;
}
