// A status of the fast path without empty lists.

import type { FastPathStatus } from '../../../src/fastpath/status/fast-path-status.ts';

export const FAST_PATH_STATUS: FastPathStatus = {
  mode: 'auto',
  state: 'on',
  attach: 'tcx',
  udp: true,
  uplinks: [{ name: 'eth0' }, { name: 'eth1', reason: 'it has qdisc ingress' }],
  podDevices: ['veth1'],
  frontends: [
    {
      ...{ name: 'shop/web:http', kind: 'node-port', destination: '192.0.2.1:30080/tcp', flows: 3 },
      backends: ['veth1 10.1.0.1:8080'],
    },
    {
      ...{ name: 'shop/api:http', kind: 'external-ip', destination: '192.0.2.9:80/tcp', flows: 0 },
      ...{ backends: ['veth1 10.1.0.1:80'], suspended: 'no replies' },
    },
  ],
  skipped: [
    { name: 'shop/dns:dns', destination: '192.0.2.1:30053/udp', cause: 'affinity', reason: 'session affinity' },
  ],
  excludedSources: ['10.1.0.0/16', '192.0.2.1/32', 'fd00::1/128'],
  flows: { ip: 3, ip6: 0 },
  flowTables: { ip: { entries: 6, limit: 12 }, ip6: { entries: 0, limit: 12 } },
  slots: { used: 2, draining: 1 },
  packets: [
    { reason: 'FORWARDED', outcome: 'forwarded', count: 7, description: 'to its backend' },
    { reason: 'PORT', outcome: 'passed', count: 0, description: 'no frontend' },
    { reason: 'TTL', outcome: 'passed', count: 2, description: 'hop limit reached' },
  ],
  totals: { collections: 9, scanned: 9, deleted: 9, fallbacks: 1, failures: 0, loaderRestarts: 2 },
};
