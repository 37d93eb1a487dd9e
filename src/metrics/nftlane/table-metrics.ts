// The numbers of objects, and of elements and chains.

import type { Registry } from 'prom-client';
import type { Engine } from '../../engine/engine.ts';
import { LIMIT_EFFECTS } from '../../engine/service-limits.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';
import { RESOURCES } from '../../nftables/plan/budget.ts';
import { gaugeOnScrape, single } from './on-scrape.ts';

/** Registers the metrics, which are read from the engine at each scrape. */
export function registerTableMetrics(registry: Registry, engine: Engine): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_elements',
    help: 'Number of desired elements of each set and map',
    labelNames: ['ip_family', 'set'],
    samples: () =>
      allSetsAndMaps().map((object) => ({
        labels: { ip_family: FAMILY_TRAITS[object.family].label, set: object.name },
        value: engine.size(object),
      })),
  });
  gaugeOnScrape(registry, {
    name: 'nftlane_chains',
    help: 'Number of chains of each table',
    labelNames: ['ip_family'],
    samples: () =>
      FAMILIES.map((family) => ({
        labels: { ip_family: FAMILY_TRAITS[family].label },
        value: engine.chainCount(family),
      })),
  });
  registerLimitMetrics(registry, engine);
  const gauge = (name: string, help: string, value: () => number) =>
    gaugeOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  const { store } = engine;
  gauge('nftlane_services', 'Number of proxied Services', () => store.services.size);
  gauge('nftlane_endpoint_slices', 'Number of EndpointSlices of proxied Services', () => [...store.slices()].length);
  gauge('nftlane_endpoints', 'Number of endpoints in EndpointSlices of proxied Services', () =>
    [...store.slices()].reduce((sum, { endpoints }) => sum + endpoints.length, 0),
  );
  gauge('nftlane_kernel_state_known', '1 while the state of the kernel is known, otherwise 0', () =>
    engine.isKernelKnown ? 1 : 0,
  );
}

function registerLimitMetrics(registry: Registry, engine: Engine): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_limited_services',
    help: 'Number of Services that exceed a limit, by effect: source-hash (instead of maglev or session affinity), left-out',
    labelNames: ['effect'],
    samples: () =>
      LIMIT_EFFECTS.map((effect) => ({
        labels: { effect },
        value: engine.limited().filter((limited) => limited.effect === effect).length,
      })),
  });
  gaugeOnScrape(registry, {
    name: 'nftlane_limit_needed',
    help: 'Amount that all Services need of each resource with a total limit, each Service at most its own limit',
    labelNames: ['resource'],
    samples: () => RESOURCES.map((resource) => ({ labels: { resource }, value: engine.limitUsage().needed[resource] })),
  });
  gaugeOnScrape(registry, {
    name: 'nftlane_limit',
    help: 'Total limit of each resource',
    labelNames: ['resource'],
    samples: () =>
      RESOURCES.map((resource) => ({ labels: { resource }, value: engine.limitUsage().limits.total[resource] })),
  });
}
