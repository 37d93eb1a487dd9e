// The responses of the API server: lists and watches, in chunks of any size.

import { KINDS } from '../../../src/services/objects/kinds.ts';
import { ApiError, ConnectionError } from '../../../src/sources/api-server/client/api-error.ts';
import { ListSplitter } from '../../../src/sources/api-server/stream/list-splitter.ts';
import { WatchStream } from '../../../src/sources/api-server/watch-stream.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { expectErrors, type FuzzTarget } from '../target.ts';

const [web, other] = [service('shop/web'), service('shop/other')];
const endpoints = slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] });
const BOOKMARK = {
  type: 'BOOKMARK',
  object: {
    kind: 'Service',
    metadata: { resourceVersion: '7', annotations: { 'k8s.io/initial-events-end': 'true' } },
  },
};

const WATCH = [
  { type: 'ADDED', object: web },
  { type: 'ADDED', object: endpoints },
  BOOKMARK,
  { type: 'MODIFIED', object: other },
  { type: 'DELETED', object: web },
  { type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old', reason: 'Expired' } },
];

const LIST = { kind: 'ServiceList', apiVersion: 'v1', metadata: { resourceVersion: '9', continue: 'x' }, items: [web] };

export const watchTarget: FuzzTarget = {
  name: 'watch-stream',
  weight: 10,
  seeds: [`${WATCH.map((event) => JSON.stringify(event)).join('\n')}\n`, JSON.stringify(LIST)],
  run(input) {
    const chunks = chunksOf(Buffer.from(input));
    for (const kind of ['Service', 'EndpointSlice'] as const) {
      for (const resourceVersion of ['', '5']) expectErrors(EXPECTED, () => watch(chunks, kind, resourceVersion));
    }
    expectErrors([...EXPECTED, SyntaxError], () => list(chunks));
  },
};

const EXPECTED = [ApiError, ConnectionError];

function watch(chunks: readonly Buffer[], kind: 'Service' | 'EndpointSlice', resourceVersion: string): void {
  const ignore = () => {};
  const handlers = {
    onList: ignore,
    onPut: ignore,
    onRemove: ignore,
    onBookmark: ignore,
    onListItem: ignore,
    onForeign: ignore,
  };
  const stream = new WatchStream<'Service' | 'EndpointSlice'>(KINDS[kind], { resourceVersion, ...handlers });
  for (const chunk of chunks) stream.push(chunk);
  stream.end();
}

function list(chunks: readonly Buffer[]): void {
  const splitter = new ListSplitter((json) => KINDS.Service.read(JSON.parse(json)));
  for (const chunk of chunks) splitter.push(chunk);
  JSON.parse(splitter.takeEnvelope());
}

/** Chunks whose sizes depend on the input, so that a run can be repeated. */
function chunksOf(data: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < data.length; ) {
    const size = 1 + ((data[from] ?? 0) % 61) * ((data[data.length - 1] ?? 0) % 7 === 0 ? 1 : 20);
    chunks.push(data.subarray(from, from + size));
    from += size;
  }
  return chunks;
}
