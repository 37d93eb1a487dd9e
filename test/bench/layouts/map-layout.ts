// Applies nftlane's layout, compiled by the engine and sent as the daemon sends it.

import { sync } from '../../../src/controller/sync.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { NftClient } from '../../../src/nftables/client/nft-client.ts';
import { addTable, deleteTable, TABLE } from '../../../src/nftables/syntax/operation.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import type { Layout, LayoutSetup } from './layout.ts';
import { runNft } from './run-nft.ts';
import {
  type BenchService,
  benchService,
  createServiceChanger,
  readBenchService,
  withNewEndpoint,
  withOneMore,
} from './services.ts';

/** Creates the layout; it applies nothing before the first load. */
export function mapLayout({ services: size, endpoints, timeoutMs }: LayoutSetup): Layout {
  const services: BenchService[] = Array.from({ length: size }, (_, number) => benchService(number, endpoints));
  const kernel = new NftClient({ command: 'nft' });
  let engine = fill(services);
  const next = createServiceChanger(services, endpoints);
  const apply = (changed: BenchService): Promise<number> => timed(engine, kernel, () => put(changed));
  const put = (service: BenchService): void => engine.put('EndpointSlice', readBenchService(service).slice);
  return {
    async load() {
      await kernel.apply(FAMILIES.flatMap((family) => [addTable(family).line, deleteTable(family).line]));
      engine = fill(services);
      return loadAll(engine, kernel);
    },
    change: () => apply(next(withNewEndpoint)),
    grow: () => apply(next(withOneMore)),
    async add() {
      const service = benchService(services.length, endpoints);
      services.push(service);
      return timed(engine, kernel, () => {
        engine.put('Service', readBenchService(service).service);
        put(service);
      });
    },
    prepare: async () => 0,
    list: () => runNft(['list', 'table', 'ip', TABLE], { timeoutMs }),
  };
}

/** An engine with the Services, compiled for an empty kernel. */
function fill(services: readonly BenchService[]): Engine {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'bench' });
  const read = services.map(readBenchService);
  engine.replace(
    'Service',
    read.map(({ service }) => service),
  );
  engine.replace(
    'EndpointSlice',
    read.map(({ slice }) => slice),
  );
  engine.adopt({ elements: new Map(), chains: [] });
  engine.compile();
  return engine;
}

/** The time from the start of the first transaction to the end of the last; some run at the same time. */
async function loadAll(engine: Engine, kernel: NftClient): Promise<number> {
  const times: number[] = [];
  const run = async (lines: readonly string[]): Promise<void> => {
    times.push(performance.now());
    await kernel.apply(lines);
    times.push(performance.now());
  };
  await sync(engine, {
    apply: run,
    list: () => kernel.list(),
    listElements: (objects) => kernel.listElements(objects),
  });
  return Math.max(...times) - Math.min(...times);
}

/** The time from the event to the end of the commit. */
async function timed(engine: Engine, kernel: NftClient, event: () => void): Promise<number> {
  const started = performance.now();
  event();
  await sync(engine, kernel);
  return performance.now() - started;
}
