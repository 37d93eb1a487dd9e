// Splits a YAML stream into the texts of its documents.

import { kindOf, listedKindOf } from '../../../services/objects/kinds.ts';

/** A document that is not parsed yet. */
export interface DocumentText {
  readonly text: string;
  /** Its first line, counted from 1. */
  readonly line: number;
}

/** YAML 1.2, section 9.1.2: these are markers at the start of any line, even inside of scalars. */
const MARKER = /^(?:---|\.\.\.)(?=\s|$)/gm;
/** A line that is neither empty nor a comment. */
const CONTENT = /^[ \t]*[^\s#]/m;
const CONTENT_BESIDES_DIRECTIVES = /^[ \t]*[^\s#%]/m;

/**
 * The documents in order, without those that are empty. Each begins with its `---`, and with the directives before it. A
 * document with a syntax error therefore does not affect the others.
 */
export function* splitDocuments(text: string): Generator<DocumentText> {
  let [start, line] = [0, 1];
  for (const { offset, isStart } of markersIn(text)) {
    const piece = text.slice(start, offset);
    const content = piece.replace(/^(?:---|\.\.\.)/, '');
    const hasContent = CONTENT.test(content);
    // Directives belong to the document that follows them.
    const isDirectives = !piece.startsWith('---') && !CONTENT_BESIDES_DIRECTIVES.test(content);
    if (hasContent && isStart && isDirectives) continue;
    if (hasContent) yield { text: piece.startsWith('...') ? content : piece, line };
    line += countLines(piece);
    start = offset;
  }
}

/** The markers after the first document, and the end of the text. */
function* markersIn(text: string): Generator<{ readonly offset: number; readonly isStart: boolean }> {
  for (const { index, 0: marker } of text.matchAll(MARKER)) {
    if (index > 0) yield { offset: index, isStart: marker === '---' };
  }
  yield { offset: text.length, isStart: false };
}

function countLines(text: string): number {
  let count = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) count++;
  return count;
}

/**
 * The type of a document that nftlane does not use, such as `v1 ConfigMap`; `undefined` if it may use the document. Found
 * without parsing, because other objects can be large.
 */
export function ignoredTypeOf(text: string): string | undefined {
  const [kind, apiVersion] = [soleValueOf(text, KIND), soleValueOf(text, API_VERSION)];
  if (kind === undefined || apiVersion === undefined) return undefined;
  const isUsed = kindOf(apiVersion, kind) !== undefined || listedKindOf(apiVersion, kind) !== undefined;
  return isUsed ? undefined : `${apiVersion} ${kind}`;
}

/** Keys of the document itself, with plain values. */
const KIND = /^kind:[ \t]*(\S*)[ \t]*\r?$/gm;
const API_VERSION = /^apiVersion:[ \t]*(\S*)[ \t]*\r?$/gm;

function soleValueOf(text: string, pattern: RegExp): string | undefined {
  const matches = text.matchAll(pattern);
  const value = matches.next().value?.[1];
  return matches.next().done === true && value !== undefined && /^[A-Za-z][\w./-]*$/.test(value) ? value : undefined;
}
