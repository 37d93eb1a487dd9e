// The ruleset and the directory of an engine: what trace and route work on.
import { OBJECTS } from '../../src/compile/objects.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Family } from '../../src/net/family.ts';
import type { Host } from '../../src/net/packet.ts';
import { buildDirectory, type Directory } from '../../src/route/directory.ts';
import { createRuleset, type Ruleset } from '../../src/trace/ruleset.ts';

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
