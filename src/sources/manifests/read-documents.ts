// Parses the documents of one file, YAML or JSON.

import { Composer, LineCounter, Parser } from 'yaml';
import { errorMessage } from '../../lib/error-message.ts';
import { locateJsonError } from './locate-json-error.ts';
import { ManifestError, type Position } from './manifest-error.ts';

interface ManifestDocument {
  readonly value: unknown;
  /** Its first line, counted from 1. */
  readonly line: number;
}

/**
 * The documents that are not empty, in order. Throws {@link ManifestError} with the first error of the text, and
 * `RangeError` if it is nested too deeply.
 */
export function readDocuments(text: string, file: string): ManifestDocument[] {
  const content = text.startsWith('\uFEFF') ? text.slice(1) : text;
  // JSON.parse is 50 times as fast as the YAML parser.
  return /^\s*[{[]/.test(content) ? readJson(content, file) : readYaml(content, file);
}

function readJson(text: string, file: string): ManifestDocument[] {
  try {
    return [{ value: JSON.parse(text), line: lineCounterOf(text.slice(0, text.search(/\S/))).lineStarts.length }];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = offsetOf(error, text);
    // `{a: b}` is YAML. A truncated text is still being written, which the YAML parser would take long to find.
    if (!file.endsWith('.json') && offset < text.trimEnd().length) return readYaml(text, file);
    throw new ManifestError(file, reasonOf(error), { at: positionOf(offset, lineCounterOf(text)), cause: error });
  }
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

function readYaml(text: string, file: string): ManifestDocument[] {
  const lines = new LineCounter();
  const documents: ManifestDocument[] = [];
  const composer = new Composer({ merge: true });
  // One document at a time, without keeping all syntax trees as parseAllDocuments() does.
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

/** Resolves aliases: unknown ones, those that expand without limit, and merges of anything but a map are found here. */
function toValue(document: { toJS(): unknown }, { file, at }: { file: string; at: Position }) {
  try {
    return document.toJS();
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new ManifestError(file, errorMessage(error), { at, cause: error });
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
