// Lists objects in pages, for servers that cannot stream a list.

import type { Kind, KindMap, KindTraits } from '../../services/objects/kinds.ts';
import { asObject, asString, type ReadResult } from '../../services/objects/read.ts';
import { ApiError, ConnectionError } from './client/api-error.ts';
import { collectionPath } from './client/collection-path.ts';
import { type StreamOptions, streamResponse } from './client/stream-response.ts';
import { ListSplitter } from './stream/list-splitter.ts';
import { MAX_OBJECTS, MAX_UNNAMED } from './watch-stream.ts';

interface CompleteList<K extends Kind> {
  readonly objects: readonly ReadResult<KindMap[K]>[];
  /** The version from which a watch continues. */
  readonly resourceVersion: string;
}

interface ListOptions<K extends Kind> extends Omit<StreamOptions, 'onChunk'> {
  readonly traits: KindTraits<K>;
  readonly pageSize: number;
  /** `0` accepts the cache of the server; empty requests the latest version. */
  readonly resourceVersion: string;
  /** Receives each object before the list is complete. */
  readonly onListItem?: (object: ReadResult<KindMap[K]>) => void;
  /** Is called for each chunk of each page. Ends the list if it throws. */
  readonly onProgress: () => void;
}

/** A paged list expires (410) if it takes longer than the server keeps old versions. */
const ATTEMPTS = 3;

/** Collects all pages. Restarts an expired list, the last time without pages, so that it cannot expire. */
export async function listPages<K extends Kind>(options: ListOptions<K>): Promise<CompleteList<K>> {
  for (let attempt = 1; ; attempt++) {
    const pageSize = attempt < ATTEMPTS ? options.pageSize : 0;
    const resourceVersion = attempt === 1 ? options.resourceVersion : '';
    try {
      return await listOnce({ ...options, pageSize, resourceVersion });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410 || attempt === ATTEMPTS) throw error;
    }
  }
}

async function listOnce<K extends Kind>(options: ListOptions<K>): Promise<CompleteList<K>> {
  const list = new ListedObjects<K>();
  const limit = options.pageSize === 0 ? {} : { limit: String(options.pageSize) };
  // The continue token contains the version of the first page. Servers reject a request with both.
  let cursor: Readonly<Record<string, string>> = { resourceVersion: options.resourceVersion };
  for (;;) {
    const page = await readPage({ ...limit, ...cursor }, options, list);
    if (page.next === '') return { objects: list.objects, resourceVersion: page.resourceVersion };
    if (page.next === cursor['continue']) throw new ConnectionError('the list repeats a page');
    cursor = { continue: page.next };
  }
}

/** The objects of all pages. */
class ListedObjects<K extends Kind> {
  readonly objects: ReadResult<KindMap[K]>[] = [];
  items = 0;
  #unnamed = 0;

  add(object: ReadResult<KindMap[K]>): void {
    this.items += 1;
    if (object.key !== '' || this.#unnamed++ < MAX_UNNAMED) this.objects.push(object);
  }
}

async function readPage<K extends Kind>(
  query: Readonly<Record<string, string>>,
  options: ListOptions<K>,
  list: ListedObjects<K>,
): Promise<{ next: string; resourceVersion: string }> {
  const { traits } = options;
  const splitter = new ListSplitter((json) => {
    const result = traits.read(parse(json));
    list.add(result);
    if (list.items > MAX_OBJECTS) throw new ConnectionError(`the list has more than ${MAX_OBJECTS} objects`);
    options.onListItem?.(result);
  });
  const onChunk = (chunk: Buffer): number => {
    options.onProgress();
    return splitter.push(chunk);
  };
  await streamResponse(collectionPath(traits, query), { ...options, onChunk });
  const { kind, metadata: listMetadata } = asObject(parse(splitter.takeEnvelope()));
  const expected = [`${traits.kind}List`, 'List', ''];
  if (!expected.includes(asString(kind))) throw new ConnectionError(`the response is not a ${traits.kind}List`);
  const metadata = asObject(listMetadata);
  const resourceVersion = asString(metadata['resourceVersion']);
  if (resourceVersion === '') throw new ConnectionError('the response is not a list of objects');
  return { next: asString(metadata['continue']), resourceVersion };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new ConnectionError('the response is not JSON', { cause: error });
  }
}
