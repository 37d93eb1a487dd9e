// Tests of src/controller/sync.ts, with a kernel in memory.

import t from 'tap';
import { type RulesetClient, sync } from '../../../src/controller/sync.ts';
import { NftOutcomeUnknown, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { SetOrMap } from '../../../src/nftables/syntax/element.ts';
import { refKey } from '../../../src/nftables/syntax/object-ref.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { put } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';

const AFFINITY = { spec: { sessionAffinity: 'ClientIP' } };

function endpoints(...hosts: readonly number[]) {
  return slice('shop/web', { endpoints: hosts.map((host) => endpoint(`10.1.0.${host}`)) });
}

/** A kernel whose `failures` decide about each transaction, before it is applied. */
function open(...objects: Parameters<typeof engineOf>[0] & object) {
  const engine = engineOf(objects);
  const kernel = new FakeNftables();
  const transactions: (readonly string[])[] = [];
  const failures: ((lines: readonly string[]) => Error | undefined)[] = [];
  let clients: readonly { key: string; data: string }[] = [];
  const apply = async (lines: readonly string[]): Promise<void> => {
    transactions.push(lines);
    const failure = failures.map((fail) => fail(lines)).find((error) => error !== undefined);
    if (failure !== undefined) throw failure;
    try {
      kernel.run(lines);
    } catch (error) {
      const [message = '', line] = String((error as Error).message).split(/: (.*)/);
      throw refusal(message, lines.indexOf(line ?? '') + 1);
    }
  };
  const listElements = async (maps: readonly SetOrMap[]) => {
    const listed = clients.map((client) => ({ ...client, comment: '', packets: 0 }));
    return new Map(maps.flatMap((map) => (map.name.startsWith('local-') ? [] : [[refKey(map), listed]])));
  };
  const nftClient: RulesetClient = { apply, list: async () => kernel.list(), listElements };
  return {
    engine,
    kernel,
    nftClient,
    transactions,
    failures,
    setClients: (list: typeof clients) => {
      clients = list;
    },
  };
}

function refusal(message: string, line = 0): NftRefusal {
  return new NftRefusal([{ line, message }]);
}

/** Fails the first transaction only. */
function once(error: Error): () => Error | undefined {
  let isFirst = true;
  return () => {
    const failure = isFirst ? error : undefined;
    isFirst = false;
    return failure;
  };
}

t.test('sync() applies the desired state, and then has nothing to do', async (t) => {
  const { engine, kernel, nftClient, transactions } = open(service(), endpoints(1, 2));
  const report = await sync(engine, nftClient);
  t.match(report, { transactions: 1, full: false, cleanupFailed: false, refused: [], drift: [] });
  t.strictSame(report.transactionSizes, [report.operations]);
  t.equal(kernel.elements('ip', 'endpoints').size, 2);
  t.match(await sync(engine, nftClient), { operations: 0, transactions: 0, transactionSizes: [] });
  t.equal(transactions.length, 1);
});

t.test('sync() passes the changed Services to beforeApply at each attempt', async (t) => {
  const { engine, nftClient, failures, transactions } = open(service(), endpoints(1));
  failures.push(once(new NftOutcomeUnknown('nft timed out')));
  const calls: unknown[] = [];
  await sync(engine, nftClient, {
    beforeApply: async (services, planned) =>
      void calls.push([transactions.length, services.map(({ key }) => key), planned]),
  });
  t.strictSame(calls, [
    [0, ['shop/web'], { transactions: 1 }],
    [1, ['shop/web'], { transactions: 1 }],
  ]);
});

t.test('sync() skips a Service that the kernel refuses, and applies the others', async (t) => {
  const { engine, kernel, nftClient, failures } = open(
    service(),
    endpoints(1),
    service('shop/bad', { spec: clusterIps('10.96.0.66') }),
    slice('shop/bad'),
  );
  failures.push((lines) => {
    const line = lines.findIndex((text) => text.includes('10.96.0.66 . tcp . 80 . 0'));
    return line < 0 ? undefined : refusal('Numerical result out of range', line + 1);
  });
  const { refused, full } = await sync(engine, nftClient);
  t.match(refused, [{ service: 'shop/bad', reason: /^Numerical result out of range: add element .*10\.96\.0\.66/ }]);
  t.ok(full, 'the kernel was listed again');
  t.strictSame([...kernel.elements('ip', 'service-ips').keys()], ['10.96.0.1 . tcp . 80']);
});

t.test('sync() lists the kernel again after drift, once', async (t) => {
  const { engine, kernel, nftClient, failures } = open(service(), endpoints(1, 2));
  await sync(engine, nftClient);
  const [key = ''] = kernel.elements('ip', 'endpoints').keys();
  kernel.run([`delete element ip nftlane endpoints { ${key} }`]);
  put(engine, endpoints());
  const { drift, full } = await sync(engine, nftClient);
  t.match([drift, full], [[/No such file or directory/], true]);
  t.equal(kernel.elements('ip', 'endpoints').size, 0);
  put(engine, endpoints(1));
  failures.push(() => refusal('File exists'));
  await t.rejects(sync(engine, nftClient), { name: 'NftRefusal' }, 'it does not retry forever');
  failures.length = 0;
  t.match(await sync(engine, nftClient), { full: true });
  t.equal(kernel.elements('ip', 'endpoints').size, 1, 'no change was lost');
});

t.test('sync() lists the kernel again when the outcome of a transaction is unknown', async (t) => {
  const { engine, kernel, nftClient, failures } = open(service(), endpoints(1));
  failures.push(once(new NftOutcomeUnknown('nft timed out')));
  t.match(await sync(engine, nftClient), { drift: ['nft timed out'], full: true, transactions: 1 });
  t.equal(kernel.elements('ip', 'endpoints').size, 1);
});

t.test('sync() throws errors that no Service has caused', async (t) => {
  const { engine, nftClient, failures } = open(service(), endpoints(1));
  for (const error of [
    refusal('Cannot allocate memory', 1),
    refusal('Could not process rule: Operation not permitted', 1),
    refusal('Syntax error'),
    new Error('nft is gone'),
  ]) {
    failures.splice(0, 1, () => error);
    await t.rejects(sync(engine, nftClient), error);
    t.notOk(engine.isKernelKnown);
  }
  failures.length = 0;
  t.match(await sync(engine, nftClient), { full: true, refused: [] });
});

t.test('sync() removes clients of removed endpoints, and ignores expired ones', async (t) => {
  const { engine, nftClient, transactions, setClients } = open(service('shop/web', AFFINITY), endpoints(1, 9));
  await sync(engine, nftClient);
  engine.changes.take();
  transactions.length = 0;
  put(engine, endpoints(1));
  setClients([
    { key: '192.0.2.1', data: '10.1.0.1 . 8080' },
    { key: '192.0.2.2', data: '10.1.0.9 . 8080' },
    { key: '192.0.2.3', data: '10.1.0.9 . 8080' },
  ]);
  await sync(engine, nftClient);
  const deletion = (client: string) => `delete element ip nftlane affinity/shop/web/tcp/ { ${client} }`;
  t.strictSame(
    transactions.filter(([line]) => line?.startsWith('delete element ip nftlane affinity/')),
    [[deletion('192.0.2.2'), deletion('192.0.2.3')], [deletion('192.0.2.3')]],
    'each attempt omits the client that the kernel does not have',
  );
  setClients([]);
  transactions.length = 0;
  engine.changes.take();
  await sync(engine, nftClient);
  t.strictSame(transactions, []);
});

t.test('sync() throws errors of affinity maps that are not about a client', async (t) => {
  const { engine, nftClient, failures, setClients } = open(service('shop/web', AFFINITY), endpoints(1, 9));
  await sync(engine, nftClient);
  put(engine, endpoints(1));
  setClients([{ key: '192.0.2.2', data: '10.1.0.9 . 8080' }]);
  failures.push((lines) => (lines.every((line) => line.startsWith('delete element')) ? refusal('busy') : undefined));
  await t.rejects(sync(engine, nftClient), { name: 'NftRefusal' });
});

t.test('sync() removes unreferenced chains during cleanup, and reports a failure', async (t) => {
  const { engine, kernel, nftClient, failures } = open(service(), endpoints(1, 2));
  await sync(engine, nftClient);
  put(engine, endpoints(1));
  await sync(engine, nftClient, { cleanup: false });
  const chains = () => kernel.list().chains.length;
  const before = chains();
  for (const [error, isKnown] of [
    [refusal('Device or resource busy'), true],
    [new NftOutcomeUnknown('nft timed out'), false],
  ] as const) {
    failures.splice(0, 1, (lines) => (lines.some((line) => line.startsWith('delete chain')) ? error : undefined));
    t.match(await sync(engine, nftClient), { cleanupFailed: true });
    t.equal(engine.isKernelKnown, isKnown);
  }
  failures.splice(0, 1, (lines) =>
    lines.some((line) => line.startsWith('delete chain')) ? new Error('x') : undefined,
  );
  await t.rejects(sync(engine, nftClient), { message: 'x' });
  t.equal(chains(), before);
  failures.length = 0;
  t.match(await sync(engine, nftClient), { cleanupFailed: false });
  t.ok(chains() < before);
});
