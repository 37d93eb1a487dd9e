// Tests of preloading: slots are loaded before all objects are known, without verdicts, losses or duplicates.

import t from 'tap';
import { Preloader } from '../../../src/controller/preloader.ts';
import { type RulesetClient, sync } from '../../../src/controller/sync.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { BATCH_SIZE, linesOf } from '../../../src/engine/transaction.ts';
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { commitAll, elementsOf, engineOf } from '../../support/builders/engine.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';

/** Two and a half batches of slots. */
const SERVICES = (BATCH_SIZE * 2.5) / 10;
const objects = Array.from({ length: SERVICES }, (_, index) => {
  const name = `shop/web-${index}`;
  const addresses = Array.from({ length: 10 }, (_, slot) => `10.1.${slot}.${index % 250}`);
  return {
    service: service(name, { spec: clusterIps(`172.30.${index >> 8}.${index & 255}`) }),
    slice: slice(name, { endpoints: addresses.map((address) => endpoint(address)) }),
  };
});
const services = objects.map((object) => readService(object.service));
const slices = objects.map((object) => readEndpointSlice(object.slice));

function tablesOf(kernel: FakeNftables): RulesetClient {
  return {
    apply: async (lines) => kernel.run(lines),
    list: async () => kernel.list(),
    listElements: async () => new Map(),
  };
}

async function preload(engine: Engine, nftClient: RulesetClient): Promise<void> {
  const preloader = new Preloader({ engine, nftClient });
  await preloader.advance();
  await preloader.drain();
}

t.test('Preloader loads full batches of slots and no verdicts', async (t) => {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const kernel = new FakeNftables();
  await preload(engine, tablesOf(kernel));
  t.same(kernel.list().chains, [], 'nothing to load');

  engine.replace('Service', services);
  for (const read of slices) engine.put('EndpointSlice', read);
  await preload(engine, tablesOf(kernel));
  const early = kernel.list();
  t.same([...early.elements.keys()], ['ip endpoints']);
  t.equal(early.elements.get('ip endpoints')?.size, 2 * BATCH_SIZE);
  t.same(early.chains, []);

  engine.replace('EndpointSlice', slices);
  await sync(engine, tablesOf(kernel));
  t.same(commitAll(engine), [], 'nothing is missing');
  t.equal(kernel.elements('ip', 'endpoints').size, SERVICES * 10);
  t.equal(kernel.elements('ip', 'service-ips').size, SERVICES);
  t.same(elementsOf(engine), elementsOf(engineOf(objects.flatMap((object) => [object.service, object.slice]))));
});

t.test('Preloader does nothing when the kernel has elements', async (t) => {
  const first = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const kernel = new FakeNftables();
  first.replace('Service', services.slice(0, 1));
  first.replace('EndpointSlice', slices.slice(0, 1));
  await sync(first, tablesOf(kernel));

  const second = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  second.replace('Service', services);
  for (const read of slices) second.put('EndpointSlice', read);
  await preload(second, tablesOf(kernel));
  t.equal(kernel.elements('ip', 'endpoints').size, 10);
});

t.test('plan() removes preloaded slots of a Service that lost its endpoints', async (t) => {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const kernel = new FakeNftables();
  engine.replace('Service', services);
  for (const read of slices) engine.put('EndpointSlice', read);
  await preload(engine, tablesOf(kernel));
  engine.replace('EndpointSlice', []);
  await sync(engine, tablesOf(kernel));
  t.equal(kernel.elements('ip', 'endpoints').size, 0);
  t.equal(kernel.elements('ip', 'no-endpoint-services').size, SERVICES);
  t.ok(engine.plan().flat().flatMap(linesOf).length === 0);
});

t.test('Preloader stops after a failed transaction, and drain() throws the error', async (t) => {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const kernel = new FakeNftables();
  let transactions = 0;
  const apply = async (lines: readonly string[]) => {
    if (transactions++ > 0) throw new Error('nft is gone');
    kernel.run(lines);
  };
  engine.replace('Service', services);
  for (const read of slices) engine.put('EndpointSlice', read);
  const preloader = new Preloader({ engine, nftClient: { ...tablesOf(kernel), apply } });
  await preloader.advance().catch((error: unknown) => t.match(error, { message: 'nft is gone' }));
  await t.rejects(preloader.drain(), { message: 'nft is gone' });
  await preloader.drain();
  t.equal(kernel.elements('ip', 'endpoints').size, 0, 'only the tables were created');

  engine.invalidate();
  engine.replace('EndpointSlice', slices);
  await sync(engine, tablesOf(kernel));
  t.equal(kernel.elements('ip', 'endpoints').size, SERVICES * 10, 'a sync loads everything');
});
