// One watch on the test server.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamFault } from '../faults.ts';
import type { ServerSettings } from '../server-settings.ts';
import type { Change, Collection } from './collection.ts';
import type { Selector } from './selectors.ts';
import { statusBody } from './status.ts';

export interface WatchSetup {
  readonly response: ServerResponse;
  readonly collection: Collection;
  readonly selector: Selector;
  readonly query: URLSearchParams;
  readonly settings: ServerSettings;
  readonly fault: StreamFault | undefined;
  /** The current version of the server. */
  readonly version: () => number;
}

/** Lines are written in batches of this number of bytes. */
const BATCH = 128 * 1024;
/** The sizes of awkward chunks, which split keys, numbers and UTF-8 sequences. */
const CHUNK_SIZES = [1, 2, 3, 1, 7, 50, 1, 333];

export class WatchSession {
  readonly #setup: WatchSetup;
  readonly #isOver = new AbortController();
  #wake = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();
  #batch: string[] = [];
  #batchLength = 0;
  #lines = 0;
  #isBookmarkDue = false;

  constructor(setup: WatchSetup) {
    this.#setup = setup;
  }

  /** Resolves at the end of the watch. */
  async run(): Promise<void> {
    const { response, collection, query, settings } = this.#setup;
    const stopListening = collection.subscribe(() => this.#wake.resolve());
    const seconds = Number(query.get('timeoutSeconds') ?? '1800');
    const end = setTimeout(() => this.end(), seconds * 1000);
    const bookmarks = setInterval(() => this.bookmark(), settings.bookmarkMs);
    response.on('drain', () => this.#drained.resolve());
    response.on('close', () => this.#over());
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    try {
      await this.#serve();
      if (!response.destroyed) response.end();
    } finally {
      stopListening();
      clearTimeout(end);
      clearInterval(bookmarks);
    }
  }

  /** Ends the watch, as after its timeout. */
  end(): void {
    this.bookmark();
    this.#over();
  }

  bookmark(): void {
    this.#isBookmarkDue = true;
    this.#wake.resolve();
  }

  #over(): void {
    this.#isOver.abort();
    this.#drained.resolve();
    this.#wake.resolve();
  }

  async #serve(): Promise<void> {
    const { collection, version } = this.#setup;
    let position = await this.#begin();
    while (position !== undefined) {
      const changes = collection.changes(position, 1000);
      if (changes === undefined) return this.#expired();
      for (const change of changes) await this.#change(change);
      position += changes.length;
      if (changes.length > 0) continue;
      if (this.#isBookmarkDue) await this.#sendBookmark(version(), {});
      this.#isBookmarkDue = false;
      await this.#flush();
      if (this.#isOver.signal.aborted) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }

  /** Sends the initial events. Returns the position of the first change. */
  async #begin(): Promise<number | undefined> {
    const { collection, query, selector, settings, version } = this.#setup;
    const from = query.get('resourceVersion') ?? '';
    if (from !== '' && from !== '0') {
      const position = Number(from) > version() ? undefined : collection.positionAfter(Number(from));
      if (position === undefined) await this.#expired();
      return position;
    }
    const [position, now] = [collection.end, version()];
    for (const stored of collection.all()) if (selector(stored)) await this.#event('ADDED', stored.json);
    if (query.get('sendInitialEvents') === 'true' && settings.watchList === 'serve') {
      await this.#sendBookmark(now, { 'k8s.io/initial-events-end': 'true' });
    }
    await this.#flush();
    return position;
  }

  /** An object that begins or ceases to match the selector is added or deleted for the client. */
  async #change({ current, previous, isRemoval }: Change): Promise<void> {
    const { selector } = this.#setup;
    const [was, is] = [previous !== undefined && selector(previous), !isRemoval && selector(current)];
    if (is) await this.#event(was ? 'MODIFIED' : 'ADDED', current.json);
    else if (was) await this.#event('DELETED', current.json);
  }

  async #expired(): Promise<undefined> {
    await this.#event('ERROR', statusBody(410, 'The resourceVersion for the provided watch is too old.'));
    await this.#flush();
  }

  async #sendBookmark(version: number, annotations: Readonly<Record<string, string>>): Promise<void> {
    const { kind, apiVersion } = this.#setup.collection;
    if (this.#setup.query.get('allowWatchBookmarks') !== 'true') return;
    const metadata = { resourceVersion: String(version), creationTimestamp: null, annotations };
    await this.#event('BOOKMARK', JSON.stringify({ kind, apiVersion, metadata }));
  }

  async #event(type: string, json: string): Promise<void> {
    const line = `{"type":"${type}","object":${json}}\n`;
    const { fault } = this.#setup;
    if (fault !== undefined && this.#lines++ === fault.afterLines) await this.#fail(fault, line);
    this.#batch.push(line);
    this.#batchLength += line.length;
    if (this.#batchLength >= BATCH) await this.#flush();
  }

  async #fail(fault: StreamFault, line: string): Promise<void> {
    const { response } = this.#setup;
    if (fault.action === 'garbage') this.#batch.push('{"type":"ADDED","object":{"metadata":{"name":"a","nam\n');
    if (fault.action === 'error')
      this.#batch.push(`{"type":"ERROR","object":${statusBody(fault.status, fault.message)}}\n`);
    if (fault.action === 'cut') this.#batch.push(line.slice(0, line.length / 2));
    await this.#flush();
    if (fault.action === 'end' || fault.action === 'error') response.end();
    // Earlier data must still arrive.
    if (fault.action === 'cut') await delay(5).then(() => response.destroy());
    if (fault.action !== 'garbage' && !response.destroyed) await once(response, 'close');
    this.#batch = [];
  }

  async #flush(): Promise<void> {
    const { response, settings } = this.#setup;
    const bytes = this.#batch.join('');
    this.#batch = [];
    this.#batchLength = 0;
    if (bytes === '' || response.destroyed || response.writableEnded) return;
    if (settings.chunks === 'awkward') return writeInSmallChunks(response, Buffer.from(bytes));
    if (response.write(bytes)) return;
    this.#drained = Promise.withResolvers();
    await this.#drained.promise;
  }
}

function writeInSmallChunks(response: ServerResponse, bytes: Buffer): void {
  for (let from = 0, turn = 0; from < bytes.length; turn++) {
    const size = CHUNK_SIZES[turn % CHUNK_SIZES.length] ?? 1;
    response.write(bytes.subarray(from, from + size));
    from += size;
  }
}
