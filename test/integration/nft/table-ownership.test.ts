// Tests that other programs cannot change tables that the daemon owns, with a real nft and kernel.

import t, { type Test } from 'tap';
import { sync } from '../../../src/controller/sync.ts';
import { findDrift } from '../../../src/engine/drift.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { exec } from '../../../src/host/process/exec.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { manyServices } from '../../support/builders/many-services.ts';
import { replaceAll } from '../../support/builders/put-objects.ts';
import { NamespacedNftClient } from '../../support/fakes/namespaced-nft-client.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { poll } from '../../support/wait-until.ts';

const PROBE = 'add table ip nftlane-probe { flags owner,persist; }';

/** Why tables cannot be owned here, or `false`. */
async function skipReason(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const { status } = await exec('unshare', ['-n', 'nft', '-c', PROBE], { timeoutMs: 30_000 });
  return status === 0 ? false : 'this kernel has no tables that can be adopted';
}

const skip = await skipReason();

/** A kernel with a Service, and a client that may own the tables. */
async function begin(t: Test, before: readonly string[] = []) {
  const tables = new NamespacedNftClient({ tableOwnership: 'auto' });
  t.teardown(() => tables.close());
  if (before.length > 0) await tables.runExternally(before);
  const engine = engineOf(manyServices(1));
  engine.invalidate();
  await sync(engine, tables);
  return { tables, engine };
}

async function flags(tables: NamespacedNftClient): Promise<readonly string[][]> {
  return ((await tables.list()).tables ?? []).map((table) => [...table.flags]);
}

async function waitForFlags(tables: NamespacedNftClient, expected: readonly string[][]): Promise<void> {
  await poll(() => flags(tables), {
    until: (found) => JSON.stringify(found) === JSON.stringify(expected),
    failure: (found) => `The flags are ${JSON.stringify(found)}`,
    timeoutMs: loadFactor() * 3000,
  });
}

async function isComplete(tables: NamespacedNftClient, engine: Engine): Promise<boolean> {
  const listing = await tables.list();
  engine.adopt(listing);
  engine.compile();
  return findDrift(engine, listing).length === 0;
}

const OWNED = [
  ['owner', 'persist'],
  ['owner', 'persist'],
];
const ORPHANED = [['persist'], ['persist']];
const DENIED = { message: /Operation not permitted/ };

t.test('others can neither flush nor change the tables, and the owner can', { skip }, async (t) => {
  const { tables, engine } = await begin(t);
  t.strictSame(await flags(tables), OWNED);
  await tables.runExternally(['flush ruleset']);
  for (const line of [
    'flush map ip nftlane endpoints',
    'delete table ip nftlane',
    'add table ip nftlane { flags dormant; }',
    'add element ip nftlane cluster-ips { 10.0.0.9 }',
    'insert rule ip nftlane services drop',
  ]) {
    await t.rejects(tables.runExternally([line]), DENIED, line);
  }
  t.ok(await isComplete(tables, engine));
  replaceAll(engine, manyServices(3));
  const { drift, refused } = await sync(engine, tables);
  t.strictSame([drift, refused, await flags(tables)], [[], [], OWNED]);
  t.ok(await isComplete(tables, engine));
});

t.test('large transactions run in other processes, and the tables are owned again', { skip }, async (t) => {
  const { tables, engine } = await begin(t);
  for (const count of [400, 3000, 2]) {
    replaceAll(engine, manyServices(count));
    const { drift, refused } = await sync(engine, tables);
    t.strictSame([drift, refused, await flags(tables)], [[], [], OWNED], `${count} Services`);
  }
  t.ok(await isComplete(tables, engine));
});

t.test('the tables are owned again when the owner was killed', { skip }, async (t) => {
  const { tables, engine } = await begin(t);
  const { sessionPid = 0 } = await tables.ownership();
  process.kill(sessionPid, 'SIGKILL');
  await waitForFlags(tables, OWNED);
  t.not((await tables.ownership()).sessionPid, sessionPid);
  t.ok(await isComplete(tables, engine));
});

t.test('the tables of a daemon that ended can be adopted, and removed', { skip }, async (t) => {
  const { tables } = await begin(t);
  await t.rejects(tables.removeTables(), { message: /a running process owns it; stop the nftlane daemon first/ });
  await tables.end();
  await waitForFlags(tables, ORPHANED);
  t.equal((await tables.ownership()).openReason, undefined);
  t.strictSame(await flags(tables), OWNED);
  await tables.end();
  await waitForFlags(tables, ORPHANED);
  await tables.removeTables();
  t.strictSame(await flags(tables), []);
});

t.test('tables that cannot be adopted stay open', { skip }, async (t) => {
  const { tables, engine } = await begin(t, ['add table ip nftlane', 'add table ip6 nftlane']);
  t.strictSame(await flags(tables), [[], []]);
  t.equal((await tables.ownership()).openReason, 'the tables were created without the flag persist');
  await tables.runExternally(['flush ruleset']);
  engine.invalidate();
  await sync(engine, tables);
  t.strictSame(await flags(tables), OWNED, 'tables that are created again can be adopted');
});

t.test('tables with the flag stay usable without ownership', { skip }, async (t) => {
  const tables = new NamespacedNftClient();
  t.teardown(() => tables.close());
  await tables.runExternally(['add table ip nftlane { flags persist; }', 'add table ip6 nftlane { flags persist; }']);
  const engine = engineOf(manyServices(1));
  engine.invalidate();
  await sync(engine, tables);
  t.ok(await isComplete(tables, engine));
  t.strictSame(await flags(tables), ORPHANED);
  t.equal((await tables.ownership()).openReason, 'tableOwnership is "no"');
  await tables.removeTables();
  t.strictSame(await flags(tables), []);
});
