// Tests of src/controller/table-check.ts.

import t from 'tap';
import { sync } from '../../../src/controller/sync.ts';
import { TableCheck } from '../../../src/controller/table-check.ts';
import type { ListedTable } from '../../../src/nftables/syntax/listed-table.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

/** A synchronized kernel. `listed` changes what its nft prints. */
async function begin({
  listed = (tables) => tables,
  noticed = () => 0,
}: {
  listed?: (tables: readonly ListedTable[]) => readonly ListedTable[];
  noticed?: () => number | undefined;
} = {}) {
  const kernel = new FakeNftables();
  const engine = engineOf([service(), slice()]);
  const nftClient = {
    apply: async (lines: readonly string[]) => kernel.run(lines),
    list: async () => kernel.list(),
    listTables: async () => listed(kernel.listTables()),
    listElements: async () => new Map(),
  };
  const { log, lines } = recordLog();
  let now = 0;
  const check = new TableCheck({ engine, nftClient, log, clock: { now: () => now, sleep: async () => {} }, noticed });
  const resync = async () => {
    const report = await sync(engine, nftClient);
    await check.confirmRepair();
    return report;
  };
  await resync();
  const find = async () => {
    now += 10_000;
    return (await check.findDifferences()).map(({ state, kind, name }) => `${state} ${kind} ${name}`);
  };
  return { kernel, engine, check, find, resync, lines, pass: (ms: number) => (now += ms) };
}

t.test('TableCheck finds and repairs changed rules, policies and foreign objects without a listing', async (t) => {
  const { kernel, find, resync } = await begin();
  t.strictSame(await find(), []);
  kernel.run([
    'flush chain ip nftlane services',
    'add rule ip nftlane services drop',
    'add chain ip nftlane evil { type filter hook forward priority 0; policy drop; }',
    'add set ip nftlane other { typeof ip saddr; }',
  ]);
  const before = kernel.rules().get('ip nodeports');
  t.strictSame(await find(), ['changed chain services', 'unexpected chain evil', 'unexpected set other']);
  const report = await resync();
  t.equal(report.full, false);
  t.equal(report.transactions, 1);
  t.strictSame(await find(), []);
  t.equal(kernel.rules().get('ip services')?.length, 3);
  t.strictSame(kernel.rules().get('ip nodeports'), before);
});

t.test('TableCheck replaces a chain with another hook, and a table with other declarations', async (t) => {
  const { kernel, find, resync } = await begin();
  kernel.run([
    'flush chain ip nftlane filter-forward',
    'delete chain ip nftlane filter-forward',
    'add chain ip nftlane filter-forward { type filter hook forward priority 300; policy accept; }',
    'add set ip nftlane cluster-ips { typeof ip saddr; }',
  ]);
  t.strictSame(await find(), ['changed chain filter-forward', 'changed set cluster-ips']);
  t.equal((await resync()).full, true);
  t.strictSame(await find(), []);
  t.equal(kernel.elements('ip', 'cluster-ips').size, 1, 'with all elements');
});

t.test('TableCheck has everything listed if something is missing', async (t) => {
  const { kernel, find, resync } = await begin();
  kernel.run(['delete table ip6 nftlane']);
  t.strictSame(await find(), ['missing table ']);
  t.equal((await resync()).full, true);
  t.strictSame(await find(), []);
});

t.test('TableCheck checks every 10 s, or when it is asked to', async (t) => {
  const { kernel, check, pass } = await begin();
  await check.findDifferences();
  kernel.run(['flush chain ip nftlane services']);
  pass(9999);
  t.strictSame(await check.findDifferences(), []);
  check.hasten();
  t.equal((await check.findDifferences()).length, 1);
  pass(9999);
  check.postpone();
  pass(9999);
  t.strictSame(await check.findDifferences(), []);
});

/** As an nft prints that has another form of a rule. */
function inAnotherForm(tables: readonly ListedTable[]): readonly ListedTable[] {
  return tables.map((table) => ({
    ...table,
    chains: table.chains.map(({ rules, ...chain }) => ({
      ...chain,
      rules: rules.map((rule) => rule.replace('masquerade fully-random', 'masquerade with fully-random')),
    })),
  }));
}

t.test('TableCheck accepts no form while another process may have written it', async (t) => {
  let changes = 0;
  for (const noticed of [() => changes++, () => undefined]) {
    const { find, resync, lines } = await begin({ listed: inAnotherForm, noticed });
    for (let count = 0; count < 5; count++) {
      t.strictSame(await find(), ['changed chain nat-postrouting', 'changed chain nat-postrouting']);
      await resync();
    }
    t.strictSame(lines, []);
  }
});

t.test('TableCheck accepts a form of this nft after two repairs, with a warning', async (t) => {
  const { find, resync, lines } = await begin({ listed: inAnotherForm });
  for (const _ of [1, 2]) {
    t.strictSame(await find(), ['changed chain nat-postrouting', 'changed chain nat-postrouting']);
    await resync();
  }
  t.strictSame(await find(), []);
  const warnings = lines.filter(({ level }) => level === 'warn');
  t.equal(warnings.length, 2);
  t.match(warnings[0]?.details, { object: 'chain ip nat-postrouting' });
});
