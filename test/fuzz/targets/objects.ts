// API objects: parsed, modeled and compiled to operations for nft.

import { linesOf } from '../../../src/engine/transaction.ts';
import { kindOf } from '../../../src/services/objects/kinds.ts';
import { formatIssue } from '../../../src/services/objects/validation-issue.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { serviceCidr } from '../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { mutateJson } from '../mutate.ts';
import { type FuzzTarget, requirePrintable } from '../target.ts';

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', nodePort: 30_080 },
  { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30_053 },
  { name: 'sig', port: 2905, protocol: 'SCTP' },
];

/** A list with all kinds and most fields that nftlane reads. */
const OBJECTS: readonly ApiObject[] = [
  node('n1', { metadata: { labels: { 'topology.kubernetes.io/zone': 'a' } }, spec: { podCIDRs: ['10.1.0.0/24'] } }),
  serviceCidr(),
  service('shop/web', {
    metadata: { annotations: { 'nftlane.io/balance': 'maglev' }, uid: '1' },
    spec: {
      ...clusterIps('10.96.0.1', 'fd00:96::1'),
      type: 'LoadBalancer',
      externalIPs: ['192.0.2.80'],
      loadBalancerSourceRanges: ['198.51.100.0/24', '2001:db8::/32'],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Cluster',
      healthCheckNodePort: 32_000,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      trafficDistribution: 'PreferClose',
      ports: PORTS,
    },
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1', ipMode: 'VIP' }] } },
  }),
  slice('shop/web', {
    ports: PORTS.map(({ name, protocol }) => ({ name, protocol, port: 8080 })),
    endpoints: [
      endpoint('10.1.0.1', { nodeName: 'n1', zone: 'a', hints: { forZones: [{ name: 'a' }] } }),
      endpoint('10.1.0.2', { conditions: { ready: false, serving: true, terminating: true } }),
    ],
  }),
  service('shop/plain', { spec: { clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.2'] } }),
];

/** Quotes enclose comments only, and nothing in them can end them. */
const COMMENT = /comment "[A-Za-z0-9._:/ ?-]*"/g;
const UNQUOTED = /^[A-Za-z0-9._:,/ {}()=!<>;@&|^*+-]*$/;

export const objectTarget: FuzzTarget = {
  name: 'objects',
  weight: 10,
  seeds: [JSON.stringify(OBJECTS)],
  mutate: mutateJson,
  run(input) {
    const engine = engineOf(objectsIn(input));
    for (const stage of engine.plan()) {
      for (const transaction of stage) for (const line of linesOf(transaction)) requireSafe(line);
    }
    for (const issue of engine.store.issues()) requirePrintable('An issue', formatIssue(issue));
  },
};

function objectsIn(input: string): ApiObject[] {
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.filter((item) => kindOf(item?.apiVersion, item?.kind) !== undefined);
}

/** One operation of nft, without anything that a name could have brought into it. */
function requireSafe(line: string): void {
  if (UNQUOTED.test(line.replaceAll(COMMENT, ''))) return;
  throw new Error(`An operation has unexpected characters: ${JSON.stringify(line.slice(0, 500))}`);
}
