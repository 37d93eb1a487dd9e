// Tests of src/host/links/route-source-watcher.ts.

import t from 'tap';
import { watchRouteSources } from '../../../../src/host/links/route-source-watcher.ts';
import type { RouteSource } from '../../../../src/net/host.ts';

t.test('watchRouteSources() reports changes, and once that it cannot read, until it can', async (t) => {
  const route = (address: string): RouteSource[] => [{ address, link: 'x0' }];
  const answers = [route('192.0.2.1'), new Error('no ip'), new Error('no ip'), route('192.0.2.1'), route('192.0.2.2')];
  const messages: string[] = [];
  const changes: (readonly RouteSource[])[] = [];
  const stop = new AbortController();
  const add = (message: string) => void messages.push(message);
  await watchRouteSources(
    {
      read: async () => {
        const answer = answers.shift() ?? route('192.0.2.2');
        if (answers.length === 0) stop.abort();
        if (answer instanceof Error) throw answer;
        return answer;
      },
      known: () => changes.at(-1) ?? [],
      onChange: (found) => changes.push(found),
      log: { debug: add, info: add, warn: add, error: add },
      clock: { now: () => 0, sleep: async () => {} } as never,
    },
    stop.signal,
  );
  t.strictSame(changes, [route('192.0.2.1'), route('192.0.2.2')]);
  t.strictSame(messages, [
    'cannot read preferred sources of routes; keeping the last known ones',
    'preferred sources of routes are known again',
  ]);
});
