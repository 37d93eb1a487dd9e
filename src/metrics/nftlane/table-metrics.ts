// How much there is: objects from the API, and elements and chains made of them.
import { Gauge, type Registry } from 'prom-client';
import type { Engine } from '../../engine/engine.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';

/** Registers them. They are read from the engine when they are asked for. */
export function registerTableMetrics(registry: Registry, engine: Engine): void {
  const registers = [registry];
  new Gauge({
    name: 'nftlane_elements',
    help: 'Elements that are wanted in each set and map',
    labelNames: ['ip_family', 'set'] as const,
    registers,
    collect() {
      for (const object of allSetsAndMaps()) {
        this.set({ ip_family: FAMILY_TRAITS[object.family].label, set: object.name }, engine.size(object));
      }
    },
  });
  new Gauge({
    name: 'nftlane_chains',
    help: 'Chains in each table',
    labelNames: ['ip_family'] as const,
    registers,
    collect() {
      for (const family of FAMILIES) this.set({ ip_family: FAMILY_TRAITS[family].label }, engine.chainCount(family));
    },
  });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
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
