// Tests of src/controller/node-waiter.ts, and of its effect on the sync controller.

import t from 'tap';
import { NodeWaiter } from '../../../src/controller/node-waiter.ts';
import { SyncController } from '../../../src/controller/sync-controller.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { systemClock } from '../../../src/host/clock.ts';
import type { ProxyOptions } from '../../../src/nftables/compile/node-view.ts';
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { node } from '../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put } from '../../support/builders/put-objects.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

/** A controller that waits for its Node; the timeout passes when `pass` is called. */
function waiting(options: Partial<ProxyOptions> = {}) {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options });
  const kernel = new FakeNftables();
  const nftClient = {
    apply: async (lines: readonly string[]) => kernel.run(lines),
    list: async () => kernel.list(),
    listElements: async () => new Map(),
    listTables: async () => kernel.listTables(),
  };
  const { log, lines } = recordLog();
  const time = Promise.withResolvers<void>();
  const clock = { ...systemClock, sleep: () => time.promise };
  const stop = new AbortController();
  const wait = new NodeWaiter({ engine, log, clock, request: () => controller.request() });
  let syncs = 0;
  let repairs = 0;
  const synced = Promise.withResolvers<void>();
  const observers = [
    {
      chainsModified: () => {
        repairs += 1;
      },
      committed: () => {
        syncs += 1;
        synced.resolve();
      },
    },
  ];
  const canStart = () => wait.isDone();
  const controller: SyncController = new SyncController({
    engine,
    nftClient,
    log,
    clock: systemClock,
    observers,
    canStart: canStart,
  });
  const running = Promise.all([controller.run(stop.signal), wait.run(stop.signal)]);
  controller.replace('Service', [readService(service())]);
  controller.replace('EndpointSlice', [readEndpointSlice(slice())]);
  return {
    controller,
    lines,
    pass: () => time.resolve(),
    synced: () => synced.promise,
    repairs: () => repairs,
    /** Stops the controller. Returns the number of syncs. */
    end: async () => {
      stop.abort();
      time.resolve();
      await running;
      return syncs;
    },
  };
}

/** Long enough for an unexpected sync. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

t.test('the first sync waits for the Node and its required fields', async (t) => {
  const cases: [options: Partial<ProxyOptions>, objects: ApiObject[] | 'none', enough: boolean][] = [
    [{}, [], false],
    [{}, [node('n2')], false],
    [{}, 'none', true],
    [{}, [node('n1', { status: { addresses: [] } })], false],
    [{ bindAddress: '192.0.2.1' }, [node('n1', { status: { addresses: [] } })], true],
    [{}, [node('n1')], true],
    [{ detectLocal: { mode: 'NodeCIDR' } }, [node('n1')], false],
    [{ detectLocal: { mode: 'NodeCIDR' } }, [node('n1', { spec: { podCIDRs: ['10.1.0.0/24'] } })], true],
  ];
  for (const [options, objects, enough] of cases) {
    const { controller, synced, end } = waiting(options);
    if (objects === 'none') controller.replace('Node', []);
    else for (const object of objects) put(controller, object);
    await (enough ? synced() : idle());
    t.equal((await end()) > 0, enough, JSON.stringify([options, objects]));
  }
});

t.test('after the timeout the first sync starts, and the log says what is missing', async (t) => {
  const { pass, synced, lines, repairs, end } = waiting();
  await idle();
  pass();
  await synced();
  t.equal(repairs(), 0, 'rules that are not applied yet were not changed by others');
  t.ok((await end()) > 0);
  const warnings = lines.filter(({ level }) => level === 'warn');
  t.match(warnings, [{ details: { node: 'n1', reason: 'Nodes have not been listed' } }]);
});
