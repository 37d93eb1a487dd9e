// Backends of a Service.

import type { Backend } from '../../../src/services/model/backends.ts';

/** A ready backend at `10.1.0.HOST:8080`, on node n2. */
export function backend(host: number, overrides: Partial<Backend> = {}): Backend {
  return {
    address: `10.1.0.${host}`,
    port: 8080,
    name: `10.1.0.${host}:8080`,
    nodeName: overrides.isLocal ? 'n1' : 'n2',
    isLocal: false,
    ready: true,
    serving: true,
    terminating: false,
    zoneHints: [],
    nodeHints: [],
    ...overrides,
  };
}
