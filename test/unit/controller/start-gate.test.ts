// Tests of src/controller/start-gate.ts.

import t, { type Test } from 'tap';
import { StartGate } from '../../../src/controller/start-gate.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { linesOf } from '../../../src/engine/transaction.ts';
import type { Family } from '../../../src/net/family.ts';
import type { KernelServices } from '../../../src/nftables/compile/kernel-services.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

function kernelOf(...objects: readonly ApiObject[]): FakeNftables {
  const kernel = new FakeNftables();
  for (const transaction of engineOf(objects).plan().flat()) kernel.run(linesOf(transaction));
  return kernel;
}

/** A kernel with one Service, and an engine without any, of which `mayStart` is asked with what is found. */
function gateWith(mayStart: (names: string) => boolean, families?: readonly Family[]) {
  const state = { kernel: kernelOf(service(), slice()), now: 1_000_000, isListing: true, mayStartNow: false };
  const counts = { lists: 0, tables: 0, requests: 0, protections: 0 };
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...(families && { families }) });
  const asked: string[] = [];
  const { log, lines } = recordLog();
  const list = () => {
    if (!state.isListing) throw new Error('no answer');
    return state.kernel;
  };
  const gate = new StartGate({
    engine,
    nftClient: {
      list: async () => {
        counts.lists++;
        return list().list();
      },
      listTables: async () => {
        counts.tables++;
        return list().listTables();
      },
      protect: async () => void counts.protections++,
    },
    guard: () => ({
      get mayStartNow() {
        return state.mayStartNow;
      },
      *mayStart(kernel: KernelServices) {
        asked.push([...kernel].map(([family, names]) => `${family} ${[...names]}`).join(', '));
        return mayStart(asked.at(-1) ?? '');
      },
      started: () => {},
    }),
    request: () => void counts.requests++,
    clock: { now: () => state.now },
    log,
  });
  const pass = (afterMs = 0) => {
    state.now += afterMs;
    return gate.pass();
  };
  return { engine, state, counts, asked, lines, pass };
}

t.test('StartGate lets an ordinary start pass with one listing', async (t) => {
  const { engine, counts, asked, pass } = gateWith(() => true);
  t.strictSame([await pass(), await pass(60_000)], ['open', 'open']);
  t.strictSame([counts, asked], [{ lists: 1, tables: 0, requests: 0, protections: 0 }, ['ip shop/web']]);
  t.ok(engine.isKernelKnown, 'the first sync uses the same listing');
});

t.test('StartGate does not compare a family that this daemon does not serve', async (t) => {
  const { asked, pass } = gateWith(() => true, ['ip6']);
  t.equal(await pass(), 'open');
  t.strictSame(asked, ['']);
});

t.test('StartGate is open without a guard', async (t) => {
  const { engine } = gateWith(() => true);
  const unused = () => Promise.reject(new Error('not needed'));
  const options = { engine, nftClient: { list: unused }, request: () => {}, clock: { now: () => 0 } };
  t.equal(await new StartGate({ ...options, guard: () => undefined, log: recordLog().log }).pass(), 'open');
});

t.test('StartGate compares at most once a second, and asks for another attempt', async (t) => {
  const { counts, asked, pass } = gateWith(() => asked.length > 2);
  for (let ms = 0; ms < 100; ms++) t.equal(await pass(), 'closed');
  t.strictSame([asked.length, counts.protections], [1, 1]);
  await waitUntil('request', () => counts.requests === 1);
  t.equal(await pass(999), 'closed');
  t.equal(asked.length, 1);
  t.equal(await pass(1), 'closed');
  t.equal(asked.length, 2);
  t.equal(await pass(1_000), 'opened');
});

t.test('StartGate has the kernel listed again before the first sync', async (t) => {
  const { engine, asked, state, pass } = gateWith(() => asked.length > 1);
  t.equal(await pass(), 'closed');
  t.ok(engine.isKernelKnown);
  t.equal(await pass(1_000), 'opened');
  t.notOk(engine.isKernelKnown);
  state.mayStartNow = true;
  t.equal(await pass(), 'open', 'opened only once');
});

t.test('StartGate opens immediately when nothing is held any more', async (t) => {
  const { engine, asked, state, pass } = gateWith(() => false);
  t.equal(await pass(), 'closed');
  state.mayStartNow = true;
  t.equal(await pass(), 'opened');
  t.equal(asked.length, 1);
  t.notOk(engine.isKernelKnown);
});

async function closed(t: Test) {
  const world = gateWith((names) => names === '');
  t.equal(await world.pass(), 'closed');
  t.equal(await world.pass(10_000), 'closed');
  return world;
}

t.test('StartGate notices that the tables were deleted while it was closed', async (t) => {
  const { asked, state, counts, pass } = await closed(t);
  const { lists } = counts;
  t.equal(await pass(10_000), 'closed');
  t.equal(counts.lists, lists, 'the elements are not listed while the tables are the same');
  state.kernel = new FakeNftables();
  t.equal(await pass(10_000), 'opened');
  t.strictSame(asked, ['ip shop/web', 'ip shop/web', 'ip shop/web', '']);
});

t.test('StartGate notices deleted elements within a minute', async (t) => {
  const { state, pass } = await closed(t);
  state.kernel = kernelOf();
  let seconds = 0;
  while (seconds < 100 && (await pass(1_000)) === 'closed') seconds++;
  t.ok(seconds <= 61, `after ${seconds} s`);
});

t.test('StartGate stays closed while the kernel cannot be listed', async (t) => {
  const { asked, lines, state, pass } = await closed(t);
  state.isListing = false;
  for (let attempt = 0; attempt < 3; attempt++) t.equal(await pass(10_000), 'closed');
  t.equal(asked.at(-1), 'ip shop/web');
  const warning = { level: 'warn', message: 'cannot look at the ruleset while the start is held' };
  t.match(lines, [{ ...warning, details: { reason: 'no answer' } }]);
  t.equal(lines.length, 1);
  state.isListing = true;
  state.kernel = new FakeNftables();
  t.equal(await pass(10_000), 'opened');
  t.match(lines[1], { level: 'info', message: 'looking at the ruleset again while the start is held' });
});

t.test('StartGate rejects if the kernel cannot be listed at the start', async (t) => {
  const { asked, state, pass } = gateWith(() => true);
  state.isListing = false;
  await t.rejects(pass(), { message: 'no answer' });
  state.isListing = true;
  t.equal(await pass(), 'open');
  t.equal(asked.length, 1);
});
