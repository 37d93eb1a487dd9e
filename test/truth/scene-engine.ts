// The engine of the truth test.

import { Engine } from '../../src/engine/engine.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import { DEFAULT_OPTIONS } from '../support/builders/proxy-options.ts';
import { replaceAll } from '../support/builders/put-objects.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { POD_CIDRS } from '../support/netns/topology.ts';

/** An engine on node1 that has compiled these objects for an empty kernel. */
export function engineFromObjects(objects: readonly ApiObject[], hostAddresses: readonly string[]): Engine {
  const cidrs = [POD_CIDRS.ip, POD_CIDRS.ip6].map(parsePrefix).filter((prefix) => prefix !== undefined);
  const detectLocal = { mode: 'ClusterCIDR', cidrs } as const;
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'node1', detectLocal, nodePortAddresses: ['all'] });
  engine.setHostAddresses(hostAddresses);
  replaceAll(engine, objects);
  engine.adopt({ elements: new Map(), chains: [] });
  engine.compile();
  return engine;
}
