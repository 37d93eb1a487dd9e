// Tests that the kernel accepts nftlane's transactions and then holds the expected state.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type SyncReport, sync } from '../../../src/controller/sync.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { BATCH_SIZE } from '../../../src/engine/transaction.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import type { KernelListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { refKey } from '../../../src/nftables/syntax/object-ref.ts';
import { applyEvent, ClusterObjects, objectEvents } from '../../support/builders/arbitrary-events.ts';
import { manyServices } from '../../support/builders/many-services.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { NamespacedNftClient } from '../../support/fakes/namespaced-nft-client.ts';
import { contents } from '../../support/fakes/ruleset-checks.ts';

const OPTIONS = { ...DEFAULT_OPTIONS, nodeName: 'n1' };
t.setTimeout(120_000);

const skip = process.getuid?.() === 0 ? false : 'network namespaces need root';

function tablesOf(t: Test, options: { nft?: string } = {}): NamespacedNftClient {
  const tables = new NamespacedNftClient(options);
  t.teardown(() => tables.close());
  return tables;
}

function engineOf(objects: readonly ApiObject[]): Engine {
  const engine = new Engine(OPTIONS);
  replaceAll(engine, objects);
  return engine;
}

/** The listing of a kernel that holds the desired state of an engine. */
function desiredListing(engine: Engine): KernelListing {
  const elements = new Map(
    FAMILIES.flatMap((family) =>
      Object.values(SETS_AND_MAPS[family]).map((object) => {
        const elements = engine.elements(object).map(({ key, data, comment }) => [key, { data, comment }] as const);
        return [refKey(object), new Map(elements)] as const;
      }),
    ),
  );
  const chains = FAMILIES.flatMap((family) => engine.chains(family).chains.map(({ name }) => ({ family, name })));
  return { elements, chains };
}

/** All elements and chain names, in a fixed order. */
function everything({ elements, chains }: KernelListing): string[] {
  const lines = [...elements].flatMap(([object, elements]) =>
    [...elements].map(([key, { data, comment }]) => `${object}: ${key} "${comment}" : ${data}`),
  );
  return [...lines.sort(), ...chains.map(refKey).sort()];
}

/** Whether a sync found no drift and no refusals. */
function isQuiet({ drift, refused }: SyncReport): boolean {
  return drift.length === 0 && refused.length === 0;
}

t.test('the kernel holds the desired state after every history', { skip }, async (t) => {
  const tables = tablesOf(t);
  const syncs = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(objectEvents(20), syncs, async (history, syncAfter) => {
    // The new engine finds the leftovers of the previous history.
    const [engine, cluster] = [new Engine(OPTIONS), new ClusterObjects()];
    for (const [index, event] of history.entries()) {
      applyEvent(engine, event);
      cluster.apply(event);
      if (syncAfter[index % syncAfter.length] && !isQuiet(await sync(engine, tables))) throw new Error('not quiet');
    }
    if (!isQuiet(await sync(engine, tables))) throw new Error('not quiet');
    const listing = await tables.list();
    const { found, expected } = { found: everything(listing), expected: everything(desiredListing(engine)) };
    if (found.join('\n') !== expected.join('\n')) {
      throw new Error(`found:\n${found.join('\n')}\nexpected:\n${expected.join('\n')}`);
    }
    const scratch = engineOf(cluster.objects());
    scratch.adopt({ elements: new Map(), chains: [] });
    scratch.compile();
    const fresh = contents(desiredListing(scratch)).join('\n');
    if (contents(listing).join('\n') !== fresh) throw new Error(`from scratch:\n${fresh}`);

    const restarted = engineOf(cluster.objects());
    await sync(restarted, {
      list: async () => listing,
      apply: async (lines) => Promise.reject(new Error(`A restart changes the kernel:\n${lines.join('\n')}`)),
      listElements: (objects) => tables.listElements(objects),
    });
  });
  await fc.assert(property, { numRuns: 20, seed: 1 });
  t.pass('20 histories');
});

t.test('thousands of elements are added, changed and removed', { skip }, async (t) => {
  const tables = tablesOf(t);
  // Each Service has five elements.
  const engine = engineOf(manyServices(BATCH_SIZE / 4));
  const { transactions, operations } = await sync(engine, tables);
  t.ok(operations > BATCH_SIZE, `${operations} operations`);
  t.ok(transactions > 2, `${transactions} transactions`);
  t.strictSame(everything(await tables.list()), everything(desiredListing(engine)));
  replaceAll(engine, []);
  t.ok(isQuiet(await sync(engine, tables)));
  t.strictSame(everything(await tables.list()), everything(desiredListing(engineOf([]))));
});

t.test('addresses are listed as they are written, whatever their zeros', { skip }, async (t) => {
  const tables = tablesOf(t);
  const groups = ['1:0:2:0:0:3:0:0', '0:1:2:3:4:5:6:7', '0:0:1:0:0:0:0:0', '0:0:0:0:0:1:0:1', '64:ff9b::192.0.2.33'];
  const addresses = [...groups, '::192.0.2.33', '::1:0', '::c000:2', '::ffff:0:192.0.2.33'];
  const ingress = addresses.map((ip) => ({ ip }));
  const spec = { ...clusterIps('fd00:30::10'), type: 'LoadBalancer', loadBalancerSourceRanges: ['::192.0.0.0/104'] };
  const engine = engineOf([
    service('shop/web', { spec, status: { loadBalancer: { ingress } } }),
    slice('shop/web', { addressType: 'IPv6', endpoints: addresses.map((address) => endpoint(address)) }),
  ]);
  t.ok(isQuiet(await sync(engine, tables)));
  t.strictSame(everything(await tables.list()), everything(desiredListing(engine)));
});

t.test('the longest names are accepted and listed', { skip }, async (t) => {
  const tables = tablesOf(t);
  const name = `${'n'.repeat(63)}/${'s'.repeat(63)}`;
  const ports = [{ name: 'p'.repeat(63), port: 80, protocol: 'TCP', nodePort: 30080 }];
  const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP', ports };
  const engine = engineOf([service(name, { spec }), slice(name, { ports })]);
  t.ok(isQuiet(await sync(engine, tables)));
  t.strictSame(everything(await tables.list()), everything(desiredListing(engine)));
});

const WEB = 'ip nftlane';
const FOREIGN_CHANGES: readonly [about: string, lines: readonly string[]][] = [
  ['an element deleted', [`delete element ${WEB} endpoints { 10.96.0.1 . tcp . 80 . 1 }`]],
  [
    'an element changed',
    [
      `delete element ${WEB} service-ips { 10.96.0.1 . tcp . 80 }`,
      `add element ${WEB} service-ips { 10.96.0.1 . tcp . 80 : drop }`,
    ],
  ],
  [
    'a comment changed',
    [
      `delete element ${WEB} cluster-ips { 10.96.0.1 }`,
      `add element ${WEB} cluster-ips { 10.96.0.1 comment "a, } b" }`,
    ],
  ],
  ['a map flushed', [`flush map ${WEB} endpoints`]],
  ['an element added', [`add element ${WEB} service-ips { 10.96.0.99 . udp . 17 comment "x" : goto cluster-3 }`]],
  [
    'a chain added',
    [`add chain ${WEB} mine`, `add element ${WEB} no-endpoint-services { 10.96.0.98 . tcp . 6 : goto mine }`],
  ],
  ['rules flushed', [`flush chain ${WEB} services`, `flush chain ${WEB} cluster-3`]],
  ['the table of one family deleted', [`delete table ${WEB}`]],
  ['both tables deleted', [`delete table ${WEB}`, 'delete table ip6 nftlane']],
  ['the whole ruleset flushed', ['flush ruleset']],
];

/** Two Services, of which the second is added and removed. */
function twoServices(): { base: ApiObject[]; other: ApiObject[] } {
  const endpoints = ['10.1.0.1', '10.1.0.2', '10.1.0.3'].map((address) => endpoint(address, { nodeName: 'n1' }));
  return {
    base: [service('shop/web'), slice('shop/web', { endpoints })],
    other: [service('shop/other', { spec: clusterIps('10.96.0.2') }), slice('shop/other', { endpoints })],
  };
}

t.test("an affinity map holds more clients than the kernel's default", { skip }, async (t) => {
  const tables = tablesOf(t);
  const engine = engineOf([service('shop/web', { spec: { sessionAffinity: 'ClientIP' } }), slice()]);
  await sync(engine, tables);
  const [affinityMap] = engine.chains('ip').dynamicSets;
  if (affinityMap === undefined) throw new Error('There is no affinity map');
  // The default size of a dynamic set is 65,535.
  const [runs, size] = [11, 6000];
  for (let run = 0; run < runs; run++) {
    const clients = Array.from({ length: size }, (_, n) => `10.${run}.${n >> 8}.${n & 255} : 10.1.0.1 . 8080`);
    await tables.apply(clients.map((client) => `add element ip nftlane ${affinityMap.name} { ${client} }`));
  }
  t.equal((await tables.listElements([affinityMap])).get(`ip ${affinityMap.name}`)?.length, runs * size);
});

t.test('changes by other programs are reverted after invalidate()', { skip }, async (t) => {
  const tables = tablesOf(t);
  const engine = engineOf(twoServices().base);
  await sync(engine, tables);
  const before = everything(await tables.list());
  t.strictSame(before, everything(desiredListing(engine)));
  for (const [about, lines] of FOREIGN_CHANGES) {
    await tables.runExternally(lines);
    engine.invalidate();
    t.ok(isQuiet(await sync(engine, tables)), about);
    t.strictSame(everything(await tables.list()), before, about);
  }
});

t.test(
  'deletions by other programs are detected by the next transaction that needs the objects',
  { skip },
  async (t) => {
    const tables = tablesOf(t);
    const { base, other } = twoServices();
    const engine = engineOf([...base, ...other]);
    await sync(engine, tables);
    const both = everything(await tables.list());
    const deletions: [about: string, lines: string[]][] = [
      ['the element', [`delete element ${WEB} service-ips { 10.96.0.2 . tcp . 80 }`]],
      ['a slot', [`delete element ${WEB} endpoints { 10.96.0.2 . tcp . 80 . 2 }`]],
      ['the table', [`delete table ${WEB}`]],
      ['all', ['flush ruleset']],
    ];
    for (const [about, lines] of deletions) {
      await tables.runExternally(lines);
      remove(engine, ...other);
      const report = await sync(engine, tables);
      t.equal(report.drift.length, 1, about);
      t.strictSame(report.refused, [], about);
      t.strictSame(everything(await tables.list()), everything(desiredListing(engine)), about);
      put(engine, ...other);
      t.ok(isQuiet(await sync(engine, tables)), about);
      t.strictSame(everything(await tables.list()), both, about);
    }
    // The same with an addition.
    for (const [about, lines] of deletions.slice(2)) {
      remove(engine, ...other);
      await sync(engine, tables);
      await tables.runExternally(lines);
      put(engine, ...other);
      const report = await sync(engine, tables);
      t.equal(report.drift.length, 1, about);
      t.strictSame(report.refused, [], about);
      t.strictSame(everything(await tables.list()), both, about);
    }
  },
);

/** An nft that makes the frontends of one Service refer to a missing chain, so that the kernel refuses them. */
function corruptingNft(t: Test, service: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nftlane-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'nft');
  const script = `#!/bin/sh
# The text has the same length, so that lines and columns do not change.
corrupt='s|( comment "${service}" : goto )[a-z-]{7}|\\1nowhere|g'
case $1 in
  -i | -f) sed -uE "$corrupt" | nft "$@" ;;
  *) exec nft "$@" ;;
esac
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}

for (const [path, count] of [
  ['a session', 20],
  ['a new process', 150],
] as const) {
  t.test(`a Service that the kernel refuses is left out, through ${path}`, { skip }, async (t) => {
    const tables = tablesOf(t, { nft: corruptingNft(t, 'a/s7') });
    // The tables exist already, so the size of the change decides how it is applied.
    const engine = engineOf([]);
    await sync(engine, tables);
    const objects = manyServices(count);
    replaceAll(engine, objects);
    const report = await sync(engine, tables);
    t.match(report.refused, [
      { service: 'a/s7', reason: /No such file or directory: add element ip nftlane service-ips/ },
    ]);
    t.equal(report.refused.length, 1);
    t.strictSame(engine.refusals(), report.refused);
    const listing = await tables.list();
    t.strictSame(everything(listing), everything(desiredListing(engine)));
    const rest = objects.filter((object) => !/"s7(-1)?"/.test(JSON.stringify(object)));
    const without = engineOf(rest);
    without.adopt({ elements: new Map(), chains: [] });
    without.compile();
    t.strictSame(everything(listing), everything(desiredListing(without)));

    t.equal((await sync(engine, tables)).operations, 0, 'it is not retried without a change');
    put(engine, slice('a/s7', { endpoints: [] }));
    t.strictSame(
      (await sync(engine, tables)).refused.map(({ service }) => service),
      ['a/s7'],
      'it is retried after a change',
    );
    t.strictSame(everything(await tables.list()), everything(desiredListing(engine)));
  });
}
