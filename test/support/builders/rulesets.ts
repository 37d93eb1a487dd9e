// The inputs of trace() and resolveFlow(), from an engine.

import type { Engine } from '../../../src/engine/engine.ts';
import { createRuleset, type Ruleset } from '../../../src/explain/ruleset/ruleset.ts';
import { buildServiceTable, type ServiceTable } from '../../../src/explain/services/service-table.ts';
import type { Family } from '../../../src/net/family.ts';
import type { Host } from '../../../src/net/host.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';

/** The desired ruleset. */
export function rulesetOf(engine: Engine, family: Family): Ruleset {
  const elements = Object.values(SETS_AND_MAPS[family]).map(
    (object) => [object.name, engine.elements(object)] as const,
  );
  return createRuleset(family, engine.chains(family).chains, new Map(elements));
}

/** The frontends of the engine's objects. */
export function serviceTableOf(engine: Engine, host: Host): ServiceTable {
  const { store, node } = engine;
  const state = {
    services: store.services.values(),
    slicesOf: (service: string) => store.slicesOf(service),
    slices: store.slices(),
  };
  return buildServiceTable(state, node, host);
}
