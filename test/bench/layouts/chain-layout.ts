// Applies the chain-per-Service layout as the proxies that use it do.

import { addService, CHAIN_TABLE, chainRuleset, rewriteService } from './chain-ruleset.ts';
import type { Layout, LayoutSetup } from './layout.ts';
import { runNft } from './run-nft.ts';
import { type BenchService, benchService, createServiceChanger, withNewEndpoint, withOneMore } from './services.ts';

/** Creates the layout; it applies nothing before the first load. */
export function chainLayout({ services: size, endpoints, timeoutMs }: LayoutSetup): Layout {
  const services: BenchService[] = Array.from({ length: size }, (_, number) => benchService(number, endpoints));
  const next = createServiceChanger(services, endpoints);
  const apply = (input: string) => runNft(['-f', '-'], { input, timeoutMs });
  const [family = '', table = ''] = CHAIN_TABLE.split(' ');
  return {
    async load() {
      await apply(`add table ${CHAIN_TABLE}\ndelete table ${CHAIN_TABLE}`);
      return apply(chainRuleset(services));
    },
    change: () => apply(rewriteService(next(withNewEndpoint))),
    grow: () => apply(rewriteService(next(withOneMore))),
    async add() {
      const service = benchService(services.length, endpoints);
      services.push(service);
      return apply(addService(service));
    },
    prepare: () => runNft(['--json', '--terse', 'list', 'table', family, table], { timeoutMs }),
    list: () => runNft(['list', 'table', family, table], { timeoutMs }),
  };
}
