// Tests of src/metrics/nftlane/connection-reader.ts.

import t from 'tap';
import { ConnectionReader } from '../../../../src/metrics/nftlane/connection-reader.ts';
import type { SetOrMap } from '../../../../src/nftables/syntax/element.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

function reader({ takesMs = 5, fails = () => false }: { takesMs?: number; fails?: () => boolean } = {}) {
  let now = 0;
  const calls: (readonly SetOrMap[])[] = [];
  const { log, lines } = recordLog();
  const count = async (objects: readonly SetOrMap[]) => {
    calls.push(objects);
    now += takesMs;
    if (fails()) throw new Error('nft is busy');
    return new Map();
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return {
    reader: new ConnectionReader({ nftClient: { listElements: count }, clock: { now: () => now }, log }),
    calls,
    lines,
    pass,
  };
}

t.test('ConnectionReader reads only on request, and at most every ten seconds', async (t) => {
  const { reader: subject, calls, pass } = reader();
  pass(100_000);
  t.equal(calls.length, 0);
  await subject.refresh();
  await subject.refresh();
  t.equal(calls.length, 1);
  t.strictSame(subject.lastRead, { at: 100_005, durationMs: 5 });
  pass(9_990);
  await subject.refresh();
  t.equal(calls.length, 1);
  pass(10);
  await Promise.all([subject.refresh(), subject.refresh()]);
  t.equal(calls.length, 2, 'concurrent scrapes share a read');
  t.strictSame(
    calls[0]?.map(({ name }) => name).filter((name) => name.startsWith('no-')),
    ['no-endpoint-services', 'no-endpoint-nodeports', 'no-endpoint-services', 'no-endpoint-nodeports'],
  );
});

t.test('ConnectionReader spends at most a twentieth of the time on reading', async (t) => {
  const { reader: subject, calls, pass } = reader({ takesMs: 4_000 });
  await subject.refresh();
  pass(75_000);
  await subject.refresh();
  t.equal(calls.length, 1);
  pass(1_000);
  await subject.refresh();
  t.equal(calls.length, 2);
});

t.test('ConnectionReader logs a failure once, and continues', async (t) => {
  let failing = true;
  const { reader: subject, lines, pass } = reader({ fails: () => failing });
  await subject.refresh();
  pass(20_000);
  await subject.refresh();
  t.equal(subject.lastRead, undefined);
  t.match(lines, [{ level: 'warn', details: { reason: 'nft is busy' } }]);
  t.equal(lines.length, 1);
  failing = false;
  pass(20_000);
  await subject.refresh();
  t.type(subject.lastRead?.at, 'number');
  pass(20_000);
  await subject.refresh();
  t.match(lines.slice(1), [{ level: 'info', message: 'connection counters are read again' }]);
  t.equal(lines.length, 2);
});
