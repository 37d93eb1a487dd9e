// Parses manifests without holding up other work: in pieces, or large ones in a thread.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeManifest, type ManifestBytes } from './decode-manifest.ts';
import { ManifestCollector, type ParsedManifests, parseSteps } from './parse-manifests.ts';
import { parseInThread } from './parser-thread.ts';
import { LargeDocument } from './read-documents.ts';

/** JSON of this size takes about 20 ms. */
const MAX_INLINE_BYTES = 1024 ** 2;
/** A YAML document of this length takes 15 to 60 ms. */
const MAX_INLINE_YAML = 16 * 1024;
/** Other work waits at most for this time and one document. */
const PIECE_MS = 10;

/** At most one thread runs at a time. */
export class ManifestParser {
  #lastThread: Promise<unknown> = Promise.resolve();

  /**
   * Parses a file. A small one is parsed before the first other task can run. Rejects with `ManifestError` if the file is not
   * text, or if parsing it takes too much time or memory, and when the signal aborts. Documents with errors are part of
   * the result.
   */
  async parse(manifest: ManifestBytes, signal: AbortSignal = new AbortController().signal): Promise<ParsedManifests> {
    if (manifest.bytes.byteLength > MAX_INLINE_BYTES) return await this.#parseInThread(manifest, signal);
    const text = decodeManifest(manifest);
    const collector = new ManifestCollector();
    try {
      await runInPieces(parseSteps({ text, file: manifest.file, maxYamlLength: MAX_INLINE_YAML }, collector));
      return collector;
    } catch (error) {
      if (!(error instanceof LargeDocument)) throw error;
      return await this.#parseInThread(manifest, signal);
    }
  }

  async #parseInThread(manifest: ManifestBytes, signal: AbortSignal): Promise<ParsedManifests> {
    const receiver = new ManifestCollector();
    const thread = this.#lastThread.then(() => {
      signal.throwIfAborted();
      return parseInThread(manifest, { receiver, signal });
    });
    this.#lastThread = thread.catch(() => undefined);
    await thread;
    return receiver;
  }
}

async function runInPieces(steps: Iterator<void>): Promise<void> {
  let startedAt = performance.now();
  while (steps.next().done !== true) {
    if (performance.now() - startedAt < PIECE_MS) continue;
    await nextTurn();
    startedAt = performance.now();
  }
}
