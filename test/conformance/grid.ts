// The expected outcome of each cell: by the Services, by the compiled ruleset, and as it looks to the client.

import { diffOutcomes, type FlowOutcome } from '../../src/explain/flow/flow-outcome.ts';
import { resolveFlow } from '../../src/explain/services/resolve-flow.ts';
import { trace } from '../../src/explain/trace/trace.ts';
import type { Host } from '../../src/net/host.ts';
import { engineOf } from '../support/builders/engine.ts';
import { rulesetOf, serviceTableOf } from '../support/builders/rulesets.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { type Cell, gridCells } from './cells.ts';
import { type ConformanceWorld, optionsOf, type Setup } from './conformance-world.ts';
import { type Observation, toExpectedObservation } from './observation.ts';
import { type GridService, gridBaseObjects, PODS } from './services.ts';

/** A cell and its expectations, before any packet is sent. */
export interface ExpectedCell {
  readonly cell: Cell;
  /** According to the Services alone. */
  readonly expectedOutcome: FlowOutcome;
  readonly expectedObservation: Observation;
  /** Differences between the ruleset and the Services. */
  readonly differences: readonly string[];
}

/** A cluster of Services, and all its cells. */
export interface Grid {
  readonly setup: Setup;
  readonly objects: readonly ApiObject[];
  readonly host: Host;
  readonly cells: readonly ExpectedCell[];
}

/** Computes the grid. Sends nothing. */
export async function gridOf(world: ConformanceWorld, services: readonly GridService[], setup: Setup): Promise<Grid> {
  const addressOf = (namespace: string) => world.addressOf(namespace);
  const objects = [...gridBaseObjects(), ...services.flatMap((service) => service.objects(addressOf))];
  const { host } = world;
  const engine = engineOf(objects, await optionsOf(setup));
  engine.setHostAddresses(host.addresses);
  engine.compile();
  const serviceTable = serviceTableOf(engine, host);
  const rulesets = { ip: rulesetOf(engine, 'ip'), ip6: rulesetOf(engine, 'ip6') };
  const podNames = new Map(
    Object.keys(PODS).flatMap((pod) => [addressOf(pod).ip, addressOf(pod).ip6].map((at) => [at, pod])),
  );
  const podAt = (address: string) => podNames.get(address) ?? address;
  const expectationFor = (cell: Cell): ExpectedCell => {
    const outcome = resolveFlow(cell.packet, serviceTable);
    const traced = trace(cell.packet, rulesets[cell.family], host);
    const differences = diffOutcomes(outcome, traced, { a: 'route', b: 'trace' });
    return {
      cell,
      expectedOutcome: outcome,
      expectedObservation: toExpectedObservation(cell, outcome, { host, podAt }),
      differences,
    };
  };
  return { setup, objects, host, cells: gridCells(services, addressOf).map(expectationFor) };
}
