// The documents of one file, YAML or JSON.
import { Composer, LineCounter, Parser } from 'yaml';
import { locateJsonError } from './locate-json-error.ts';
import { ManifestError, type Position } from './manifest-error.ts';

export interface ManifestDocument {
  readonly value: unknown;
  /** Where it begins, counted from 1. */
  readonly line: number;
}

/**
 * Every document that is not empty, in order. Throws {@link ManifestError} with the first error of the text, and
 * `RangeError` when it is nested too deeply.
 */
export function readDocuments(text: string, file: string): ManifestDocument[] {
  const content = text.startsWith('\uFEFF') ? text.slice(1) : text;
  // JSON.parse takes a fiftieth of the time.
  return /^\s*[{[]/.test(content) ? readJson(content, file) : readYaml(content, file);
}

function readJson(text: string, file: string): ManifestDocument[] {
  try {
    return [{ value: JSON.parse(text), line: lineCounterOf(text.slice(0, text.search(/\S/))).lineStarts.length }];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = offsetOf(error, text);
    // `{a: b}` is YAML. A text that only lacks its end is being written: YAML would take long to find the same.
    if (!file.endsWith('.json') && offset < text.trimEnd().length) return readYaml(text, file);
    throw new ManifestError(file, reasonOf(error), { at: positionOf(offset, lineCounterOf(text)), cause: error });
  }
}

function offsetOf({ message }: SyntaxError, text: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  return message.includes('end of JSON') ? text.trimEnd().length : locateJsonError(text);
}

/** Without the position and the piece of the text that V8 appends. */
function reasonOf({ message }: SyntaxError): string {
  return message.replace(/(?: in JSON)? at position .*$/s, '').replace(/, (?:\.\.\.)?".*$/s, '');
}

function readYaml(text: string, file: string): ManifestDocument[] {
  const lines = new LineCounter();
  const documents: ManifestDocument[] = [];
  const composer = new Composer({ merge: true });
  // One document at a time, as parseAllDocuments() does, but without keeping the syntax trees of all of them.
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(text))) {
    const [error] = document.errors;
    if (error !== undefined) {
      throw new ManifestError(file, error.message, { at: positionOf(error.pos[0], lines), cause: error });
    }
    const at = positionOf(document.contents?.range?.[0] ?? document.range[0], lines);
    const value = toValue(document, { file, at });
    if (value !== null && value !== undefined) documents.push({ value, line: at.line });
  }
  return documents;
}

/** Aliases are followed here: those that multiply without end, or lead nowhere, are found out only now. */
function toValue(document: { toJS(): unknown }, { file, at }: { file: string; at: Position }) {
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ManifestError(file, error.message, { at, cause: error });
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
