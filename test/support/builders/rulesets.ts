// The ruleset and the directory of an engine: what trace and route work on.

import type { Engine } from '../../../src/engine/engine.ts';
import { createRuleset, type Ruleset } from '../../../src/explain/ruleset/ruleset.ts';
import { buildServiceTable, type ServiceTable } from '../../../src/explain/services/service-table.ts';
import type { Family } from '../../../src/net/family.ts';
import type { Host } from '../../../src/net/host.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';

/** What the engine wants the kernel to hold. */
export function rulesetOf(engine: Engine, family: Family): Ruleset {
  const elements = Object.values(SETS_AND_MAPS[family]).map(
    (object) => [object.name, engine.elements(object)] as const,
  );
  return createRuleset(family, engine.chains(family).chains, new Map(elements));
}

/** The objects that the engine was given. */
export function serviceTableOf(engine: Engine, host: Host): ServiceTable {
  const { store, node } = engine;
  const state = { services: store.services.values(), slicesOf: (service: string) => store.slicesOf(service) };
  return buildServiceTable(state, node, host);
}
