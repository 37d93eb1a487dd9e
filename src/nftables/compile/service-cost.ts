// What a Service takes up in the kernel, estimated from numbers alone, before anything is compiled.

import { commonDivisor } from '../../lib/common-divisor.ts';
import { familyOf } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Service } from '../../services/objects/service.ts';
import type { ServicePort } from '../../services/objects/service-ports.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import type { Cost } from '../plan/budget.ts';
import { maglevSize } from '../plan/maglev.ts';

interface CostContext {
  readonly slices: readonly EndpointSlice[];
  readonly nodeName: string;
}

/**
 * An upper bound of the cost: readiness and hints of endpoints are ignored, so that it does not change with them, and an
 * endpoint that several slices list counts several times.
 */
export function serviceCost(service: Service, { slices, nodeName }: CostContext): Cost {
  const endpoints = countEndpoints(service, { slices, nodeName });
  const { families } = service;
  const cost = { elements: families.length, affinityPorts: 0, sourceRanges: 0 };
  for (const family of families) {
    const addresses = countAddresses(service, family);
    for (const port of service.ports) {
      const counts = endpoints.get(portKey(family, port)) ?? NONE;
      const ranges = addresses.sourceRanges;
      cost.elements += elementsOfPort(service, { addresses, counts, hasNodePort: port.nodePort !== 0 }) + ranges;
      cost.sourceRanges += ranges;
      if (service.affinitySeconds > 0) cost.affinityPorts++;
    }
  }
  return cost;
}

/** The endpoints of a port: their number, and for weights their sum and greatest common divisor. */
interface EndpointCounts {
  readonly number: number;
  readonly weight: number;
  readonly divisor: number;
}

interface PortCounts {
  readonly all: EndpointCounts;
  /** Those of this node. */
  readonly local: EndpointCounts;
}

const ZERO: EndpointCounts = { number: 0, weight: 0, divisor: 0 };
const NONE: PortCounts = { all: ZERO, local: ZERO };

function portKey(family: Family, { name, protocol }: Pick<ServicePort, 'name' | 'protocol'>): string {
  return `${family} ${protocol} ${name}`;
}

/** Walks each slice once, whatever the number of its ports. */
function countEndpoints(service: Service, { slices, nodeName }: CostContext): ReadonlyMap<string, PortCounts> {
  const counts = new Map<string, PortCounts>();
  for (const slice of slices) {
    const ofSlice = countSlice(service, slice, nodeName);
    for (const port of slice.ports) {
      const key = portKey(slice.family, port);
      const { all, local } = counts.get(key) ?? NONE;
      counts.set(key, { all: sum(all, ofSlice.all), local: sum(local, ofSlice.local) });
    }
  }
  return counts;
}

function countSlice({ weights }: Service, { endpoints }: EndpointSlice, nodeName: string): PortCounts {
  const local = nodeName === '' ? [] : endpoints.filter((endpoint) => endpoint.nodeName === nodeName);
  return { all: countWeights(endpoints, weights), local: countWeights(local, weights) };
}

/** Without weights it looks up no address: V8 interns each string that is used as the name of a property. */
function countWeights(endpoints: EndpointSlice['endpoints'], weights: Service['weights']): EndpointCounts {
  const number = endpoints.length;
  if (number === 0) return ZERO;
  if (Object.keys(weights).length === 0) return { number, weight: number, divisor: 1 };
  let [weight, divisor] = [0, 0];
  for (const { address } of endpoints) {
    const own = weights[address] ?? 1;
    weight += own;
    divisor = commonDivisor(divisor, own);
  }
  return { number, weight, divisor };
}

function sum(a: EndpointCounts, b: EndpointCounts): EndpointCounts {
  return {
    number: a.number + b.number,
    weight: a.weight + b.weight,
    divisor: commonDivisor(a.divisor, b.divisor),
  };
}

interface AddressCounts {
  readonly external: number;
  /** The elements that restrict the load balancer addresses of a port. */
  readonly sourceRanges: number;
}

function countAddresses(service: Service, family: Family): AddressCounts {
  const ofFamily = (address: string) => familyOf(address) === family;
  const loadBalancerIps = service.loadBalancerIps.filter(ofFamily);
  const external = new Set([...loadBalancerIps, ...service.externalIps.filter(ofFamily)]).size;
  const ranges = sourceRangesOf(service, family, { strict: true });
  // Each address is restricted by all ranges, and may be a source itself.
  const perAddress = ranges === 'open' ? 0 : ranges.length + loadBalancerIps.length;
  return { external, sourceRanges: loadBalancerIps.length * perAddress };
}

interface PortContext {
  readonly addresses: AddressCounts;
  readonly counts: PortCounts;
  readonly hasNodePort: boolean;
}

/** The elements of a port without its source ranges: for each frontend its slots, its verdicts and what belongs to them. */
function elementsOfPort(service: Service, { addresses, counts, hasNodePort }: PortContext): number {
  const [all, local] = [slotsOf(service, counts.all), slotsOf(service, counts.local)];
  const hasAffinity = service.affinitySeconds > 0;
  const affinity = (endpoints: number) => (hasAffinity ? endpoints + 1 : 0);
  const internal =
    service.internalTrafficPolicy === 'Local'
      ? local + affinity(counts.local.number)
      : all + affinity(counts.all.number);
  const perExternal =
    service.externalTrafficPolicy === 'Local'
      ? all + local + 2 + affinity(counts.all.number)
      : all + affinity(counts.all.number);
  const externalFrontends = addresses.external + (hasNodePort ? 1 : 0);
  const firewalls = service.hasSourceRanges ? addresses.external : 0;
  return internal + 1 + externalFrontends * (perExternal + 1) + firewalls + counts.local.number;
}

/** An endpoint without weight counts, too: it is part of the model. */
function slotsOf({ balance, weights }: Service, { number, weight, divisor }: EndpointCounts): number {
  if (number === 0) return 0;
  if (balance === 'maglev') return Math.max(number, maglevSize(number));
  return Object.keys(weights).length === 0 ? number : Math.max(number, weight / divisor || 0);
}
