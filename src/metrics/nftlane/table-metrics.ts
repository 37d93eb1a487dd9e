// How much there is: objects from the API, and elements and chains made of them.
import type { Registry } from 'prom-client';
import type { Engine } from '../../engine/engine.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';
import { gaugeOnScrape, single } from './on-scrape.ts';

/** Registers them. They are read from the engine when they are asked for. */
export function registerTableMetrics(registry: Registry, engine: Engine): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_elements',
    help: 'Elements that are wanted in each set and map',
    labelNames: ['ip_family', 'set'],
    samples: () =>
      allSetsAndMaps().map((object) => ({
        labels: { ip_family: FAMILY_TRAITS[object.family].label, set: object.name },
        value: engine.size(object),
      })),
  });
  gaugeOnScrape(registry, {
    name: 'nftlane_chains',
    help: 'Chains in each table',
    labelNames: ['ip_family'],
    samples: () =>
      FAMILIES.map((family) => ({
        labels: { ip_family: FAMILY_TRAITS[family].label },
        value: engine.chainCount(family),
      })),
  });
  const gauge = (name: string, help: string, value: () => number) =>
    gaugeOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  const { store } = engine;
  gauge('nftlane_services', 'Services that are proxied', () => store.services.size);
  gauge('nftlane_endpoint_slices', 'EndpointSlices of them', () => [...store.slices()].length);
  gauge('nftlane_endpoints', 'Endpoints in these slices', () =>
    [...store.slices()].reduce((sum, { endpoints }) => sum + endpoints.length, 0),
  );
  gauge('nftlane_kernel_state_known', '1 while it is known what the kernel holds', () =>
    engine.isKernelKnown ? 1 : 0,
  );
}
