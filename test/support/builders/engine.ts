// Engines with objects.

import { Engine } from '../../../src/engine/engine.ts';
import type { Transaction } from '../../../src/engine/transaction.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import type { NodeOptions } from '../../../src/nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import { printElement } from '../../../src/nftables/syntax/operation.ts';
import type { ApiObject } from '../deployment/merge.ts';
import { DEFAULT_OPTIONS } from './proxy-options.ts';
import { replaceAll } from './put-objects.ts';

/** An engine on node n1 that has compiled these objects, the only ones of the cluster. Its kernel is empty. */
export function engineOf(objects: readonly ApiObject[] = [], options: Partial<NodeOptions> = {}): Engine {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options });
  replaceAll(engine, objects);
  engine.adopt({ elements: new Map(), chains: [] });
  engine.compile();
  return engine;
}

/** Compiles, plans and commits, without a kernel. Returns the transactions in order. */
export function commitAll(engine: Engine): Transaction[] {
  engine.compile();
  const transactions = engine.plan().flat();
  for (const transaction of transactions) engine.committed(transaction);
  return transactions;
}

/** All elements as `family object: element`, without comments, in the order of objects and keys. */
export function elementsOf(engine: Engine): string[] {
  return FAMILIES.flatMap((family) =>
    Object.values(SETS_AND_MAPS[family]).flatMap((object) =>
      engine
        .elements(object)
        .map(({ key, data }) => `${family} ${object.name}: ${printElement({ key, data, comment: '' })}`),
    ),
  );
}
