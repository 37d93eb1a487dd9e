// Tests of src/sources/api-server/stream/watch-event.ts.

import t from 'tap';
import { readWatchEvent } from '../../../../../src/sources/api-server/stream/watch-event.ts';

t.test('readWatchEvent() reads the type, the object and its version', async (t) => {
  const object = { metadata: { name: 'web', resourceVersion: '7' } };
  t.strictSame(readWatchEvent(JSON.stringify({ type: 'ADDED', object })), {
    type: 'ADDED',
    kind: '',
    object,
    resourceVersion: '7',
    endsInitialEvents: false,
  });
});

t.test('readWatchEvent() recognizes the bookmark at the end of the initial events', async (t) => {
  const metadata = { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } };
  const read = (type: string) => readWatchEvent(JSON.stringify({ type, object: { metadata } })).endsInitialEvents;
  t.ok(read('BOOKMARK'));
  t.notOk(read('ADDED'));
});

t.test('readWatchEvent() rejects text that is not JSON, with an excerpt', async (t) => {
  t.throws(() => readWatchEvent('{"type":'), { name: 'ConnectionError', message: 'not a watch event: "{\\"type\\":"' });
  t.throws(() => readWatchEvent('x'.repeat(100)), { message: /^not a watch event: "x{57}\.\.\."$/ });
});
