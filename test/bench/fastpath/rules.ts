// The nftables ruleset that the fast path is compared with.

import { render } from '../../../src/engine/render.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type Addresses, POD_CIDRS } from '../../support/netns/topology.ts';
import { NODE, PODS, type PodName } from './bench-network.ts';

export const TARGET_PORT = 8080;
export const NODE_PORTS: Readonly<Record<PodName, number>> = { routed: 30080, bridged: 30090 };
const NODE_NAME = 'node1';

/** Loads our ruleset for the pods' Services. */
export async function loadRules(namespace: Namespace, pods: Readonly<Record<PodName, Addresses>>): Promise<void> {
  const objects = [nodeObject(), ...PODS.flatMap((name, n) => serviceObjects(name, n + 1, pods[name]))];
  const cidrs = [POD_CIDRS.ip, POD_CIDRS.ip6].flatMap((text) => parsePrefix(text) ?? []);
  const engine = engineOf(objects, { nodeName: NODE_NAME, detectLocal: { mode: 'ClusterCIDR', cidrs } });
  await namespace.output('nft', ['-f', '-'], { input: render(engine) });
}

function nodeObject(): ApiObject {
  const addresses = [NODE.ip, NODE.ip6].map((address) => ({ type: 'InternalIP', address }));
  return node(NODE_NAME, { status: { addresses } });
}

/** A NodePort Service of a pod, for both protocols and families, with externalTrafficPolicy Local. */
function serviceObjects(pod: PodName, n: number, at: Addresses): ApiObject[] {
  const name = `bench/${pod}`;
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol }));
  const spec = {
    ...clusterIps(`172.30.0.${n}`, `fd00:30::${n}`),
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    ports: ports.map((port) => ({ ...port, port: 80, targetPort: TARGET_PORT, nodePort: NODE_PORTS[pod] })),
  };
  const slices = (
    [
      ['IPv4', at.ip],
      ['IPv6', at.ip6],
    ] as const
  ).map(([addressType, address]) =>
    slice(name, {
      metadata: { name: `${pod}-${addressType.toLowerCase()}` },
      addressType,
      ports: ports.map((port) => ({ ...port, port: TARGET_PORT })),
      endpoints: [endpoint(address, { nodeName: NODE_NAME })],
    }),
  );
  return [service(name, { spec }), ...slices];
}
