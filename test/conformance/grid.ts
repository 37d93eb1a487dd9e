// What has to become of every cell of the grid: what route says, whether trace says the same, and what is to be seen.
import { differencesOf, type Fate } from '../../src/explain/flow/fate.ts';
import type { Host } from '../../src/explain/flow/packet.ts';
import { trace } from '../../src/explain/ruleset/trace.ts';
import { route } from '../../src/explain/services/route.ts';
import { engineOf } from '../support/builders/engine.ts';
import { directoryOf, rulesetOf } from '../support/builders/rulesets.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { type Cell, gridCells } from './cells.ts';
import { type GridWorld, optionsOf, type Setup } from './grid-world.ts';
import { expectedSight, type Sight } from './judge.ts';
import { type GridService, gridSurroundings, PODS } from './services.ts';

/** A cell and what is said of it before any packet is sent. */
export interface Told {
  readonly cell: Cell;
  /** According to the Services alone. */
  readonly fate: Fate;
  readonly expected: Sight;
  /** In what the ruleset differs. */
  readonly differences: readonly string[];
}

/** A cluster of these Services, and all cells that it gives. */
export interface Grid {
  readonly setup: Setup;
  readonly objects: readonly ApiObject[];
  readonly host: Host;
  readonly cells: readonly Told[];
}

/** Nothing is sent. */
export function gridOf(world: GridWorld, services: readonly GridService[], setup: Setup): Grid {
  const addressOf = (place: string) => world.addressOf(place);
  const objects = [...gridSurroundings(), ...services.flatMap((service) => service.objects(addressOf))];
  const { host } = world;
  const engine = engineOf(objects, optionsOf(setup));
  engine.setHostAddresses(host.addresses);
  engine.compile();
  const directory = directoryOf(engine, host);
  const rulesets = { ip: rulesetOf(engine, 'ip'), ip6: rulesetOf(engine, 'ip6') };
  const names = new Map(
    Object.keys(PODS).flatMap((pod) => [addressOf(pod).ip, addressOf(pod).ip6].map((at) => [at, pod])),
  );
  const podAt = (address: string) => names.get(address) ?? address;
  const tell = (cell: Cell): Told => {
    const fate = route(cell.packet, directory);
    const traced = trace(cell.packet, rulesets[cell.family], host);
    const differences = differencesOf(fate, traced, { a: 'route', b: 'trace' });
    return { cell, fate, expected: expectedSight(cell, fate, { host, podAt }), differences };
  };
  return { setup, objects, host, cells: gridCells(services, addressOf).map(tell) };
}
