// Tests of src/metrics/nftlane/connection-reader.ts.
import t from 'tap';
import { ConnectionReader } from '../../../../src/metrics/nftlane/connection-reader.ts';
import type { SetOrMap } from '../../../../src/nftables/syntax/element.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

function reader({ takesMs = 5, fails = () => false }: { takesMs?: number; fails?: () => boolean } = {}) {
  let now = 0;
  const asked: (readonly SetOrMap[])[] = [];
  const { log, lines } = recordLog();
  const count = async (objects: readonly SetOrMap[]) => {
    asked.push(objects);
    now += takesMs;
    if (fails()) throw new Error('nft is busy');
    return new Map();
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return {
    reader: new ConnectionReader({ tables: { listElements: count }, clock: { now: () => now }, log }),
    asked,
    lines,
    pass,
  };
}

t.test('ConnectionReader reads the kernel only when asked, and at most every ten seconds', async (t) => {
  const { reader: it, asked, pass } = reader();
  pass(100_000);
  t.equal(asked.length, 0);
  await it.refresh();
  await it.refresh();
  t.equal(asked.length, 1);
  t.strictSame(it.lastRead, { at: 100_005, ms: 5 });
  pass(9_990);
  await it.refresh();
  t.equal(asked.length, 1);
  pass(10);
  await Promise.all([it.refresh(), it.refresh()]);
  t.equal(asked.length, 2, 'two scrapes at once share a reading');
  t.strictSame(
    asked[0]?.map(({ name }) => name).filter((name) => name.startsWith('no-')),
    ['no-endpoint-services', 'no-endpoint-nodeports', 'no-endpoint-services', 'no-endpoint-nodeports'],
  );
});

t.test('ConnectionReader spends at most a twentieth of the time on reading', async (t) => {
  const { reader: it, asked, pass } = reader({ takesMs: 4_000 });
  await it.refresh();
  pass(75_000);
  await it.refresh();
  t.equal(asked.length, 1);
  pass(1_000);
  await it.refresh();
  t.equal(asked.length, 2);
});

t.test('ConnectionReader says a failure once, and goes on', async (t) => {
  let failing = true;
  const { reader: it, lines, pass } = reader({ fails: () => failing });
  await it.refresh();
  pass(20_000);
  await it.refresh();
  t.equal(it.lastRead, undefined);
  t.match(lines, [{ level: 'warn', details: { reason: 'nft is busy' } }]);
  t.equal(lines.length, 1);
  failing = false;
  pass(20_000);
  await it.refresh();
  t.type(it.lastRead?.at, 'number');
});
