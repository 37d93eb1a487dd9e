// The Services of the demo, and their manifests.

import {
  dualStackService,
  type PortSpec,
  serviceAddresses,
  sliceObjects,
  writeManifest,
} from '../support/netns/manifests.ts';
import type { Addresses } from '../support/netns/topology.ts';
import type { World } from '../support/netns/world.ts';

export interface DemoService {
  /** `namespace/name`. */
  readonly name: string;
  readonly at: Addresses;
  readonly port: PortSpec;
  /** The initial endpoints. */
  readonly pods: readonly string[];
}

export const WEB: DemoService = {
  name: 'shop/web',
  at: serviceAddresses(10),
  port: { protocol: 'tcp', port: 80, targetPort: 8080, nodePort: 30080 },
  pods: ['web-1', 'web-2', 'web-3'],
};

export const DNS: DemoService = {
  name: 'shop/dns',
  at: serviceAddresses(53),
  port: { protocol: 'udp', port: 53, targetPort: 5353, nodePort: 30053 },
  pods: ['dns-1', 'dns-2'],
};

/** A Service without endpoints. */
export const EMPTY: DemoService = {
  name: 'shop/empty',
  at: serviceAddresses(99),
  port: { protocol: 'tcp', port: 80, targetPort: 8080 },
  pods: [],
};

export const SERVICES = [WEB, DNS, EMPTY];

export function writeService(directory: string, { name, at, port }: DemoService): Promise<void> {
  return writeManifest(directory, `${bareName(name)}.yaml`, [dualStackService(name, at, { ports: [port] })]);
}

/** Makes these pods the endpoints of a Service. */
export function writeEndpoints(
  directory: string,
  { world, service, pods }: { world: World; service: DemoService; pods: readonly string[] },
): Promise<void> {
  const slices = sliceObjects(world, service.name, { ports: [service.port], pods });
  return writeManifest(directory, `${bareName(service.name)}-endpoints.yaml`, slices);
}

function bareName(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}
