// The ruleset and the directory of an engine: what trace and route work on.

import type { Engine } from '../../../src/engine/engine.ts';
import type { Host } from '../../../src/explain/flow/packet.ts';
import { createRuleset, type Ruleset } from '../../../src/explain/ruleset/ruleset.ts';
import { buildDirectory, type Directory } from '../../../src/explain/services/directory.ts';
import type { Family } from '../../../src/net/family.ts';
import { OBJECTS } from '../../../src/nftables/compile/objects.ts';

/** What the engine wants the kernel to hold. */
export function rulesetOf(engine: Engine, family: Family): Ruleset {
  const elements = Object.values(OBJECTS[family]).map((object) => [object.name, engine.elements(object)] as const);
  return createRuleset(family, engine.chains(family).chains, new Map(elements));
}

/** The objects that the engine was given. */
export function directoryOf(engine: Engine, host: Host): Directory {
  const { store, node } = engine;
  const state = { services: store.services.values(), slicesOf: (service: string) => store.slicesOf(service) };
  return buildDirectory(state, node, host);
}
