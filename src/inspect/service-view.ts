// Views of Services for operators: frontends, endpoints with their shares and counters, and why endpoints are unused.

import type { Engine } from '../engine/engine.ts';
import { formatLimit } from '../engine/service-limits.ts';
import { compare } from '../lib/compare.ts';
import { FAMILY_TRAITS } from '../net/family.ts';
import { nodePortKey } from '../nftables/compile/compile-service.ts';
import type { CounterListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../nftables/syntax/listing.ts';
import { familiesWithoutClusterIp, NO_CLUSTER_IP } from '../services/allocation/complete-service.ts';
import type { Backend } from '../services/model/backends.ts';
import { frontendsOf } from '../services/model/frontends.ts';
import { explainBackend, explainEntries } from '../services/model/select-backends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Service } from '../services/objects/service.ts';
import { type FrontendView, viewFrontend } from './frontend-view.ts';
import { KernelIndex, slotsOf } from './kernel-index.ts';
import { detailsOf, type ServiceDetails } from './service-details.ts';

export interface EndpointView {
  readonly endpoint: string;
  readonly node: string;
  /** Whether it receives connections through this node. */
  readonly used: boolean;
  /**
   * It should be used, but the kernel does not have it: not yet, or because the kernel refused the Service, or because
   * another Service owns its frontends.
   */
  readonly missing: boolean;
  readonly reason: string;
  /** What each EndpointSlice says, if several entries have this address and port; empty otherwise. */
  readonly entries: readonly string[];
  /** Its slots in the first frontend that uses it. */
  readonly slots: readonly number[];
  /** The fraction of new connections that it receives, from 0 to 1. */
  readonly share: number;
  /** New connections over all frontends, as counted by the kernel. */
  readonly connections: number;
}

export interface PortView {
  readonly name: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly protocol: string;
  readonly port: number;
  readonly topology: string;
  readonly frontends: readonly FrontendView[];
  readonly endpoints: readonly EndpointView[];
}

export interface ServiceView {
  readonly service: string;
  readonly type: string;
  /** The families without a cluster IP, and the effect, if there are any. */
  readonly withoutClusterIp?: string;
  /** The cluster IPs that nftlane has assigned, if there are any. */
  readonly assignedClusterIps?: readonly string[];
  /** Why the kernel refused this Service, if it did. */
  readonly refused?: string;
  /** The limit that the Service exceeds, and the effect, if it does. */
  readonly limited?: string;
  readonly details: ServiceDetails;
  readonly ports: readonly PortView[];
}

/** Views of the Service `name` (`namespace/name`), or of all Services, sorted by name. */
export function viewServices(engine: Engine, listed: CounterListing, name?: string): ServiceView[] {
  const refusals = new Map(engine.refusals().map(({ service, reason }) => [service, reason]));
  const limits = new Map(engine.limited().map((limit) => [limit.service, formatLimit(limit)]));
  const kernel = new KernelIndex(listed);
  const healthChecks = new Map([...engine.services()].flatMap(healthCheckOf));
  return [...engine.store.services.values()]
    .filter((service) => name === undefined || service.key === name)
    .sort((a, b) => compare(a.key, b.key))
    .map((service) =>
      viewService(service, {
        engine,
        kernel,
        healthChecks,
        refused: refusals.get(service.key),
        limited: limits.get(service.key),
      }),
    );
}

function healthCheckOf({ key, families, healthCheckNodePort: port }: Service): [string, string][] {
  return port === 0 ? [] : families.map((family) => [nodePortKey({ family, protocol: 'tcp', port }), key]);
}

/** A valid Service that is not proxied. */
export interface SkippedServiceView {
  readonly service: string;
  readonly reason: string;
}

/** The Services that are not proxied, or only `name`, sorted by name. */
export function viewSkippedServices(engine: Engine, name?: string): SkippedServiceView[] {
  return [...engine.store.skippedServices]
    .filter(([service]) => name === undefined || service === name)
    .map(([service, reason]) => ({ service, reason }))
    .sort((a, b) => compare(a.service, b.service));
}

type Context = {
  readonly engine: Engine;
  readonly kernel: KernelIndex;
  /** The Services whose health checks have a node port, by its frontend key. */
  readonly healthChecks: ReadonlyMap<string, string>;
  readonly refused: string | undefined;
  readonly limited: string | undefined;
};

function viewService(service: Service, context: Context): ServiceView {
  const { key, type } = service;
  const { refused, limited } = context;
  const ports = context.engine.model(key).map((port) => viewPort(service, port, context));
  const problems = { ...(refused === undefined ? {} : { refused }), ...(limited === undefined ? {} : { limited }) };
  const assigned = service.assignedFamilies.flatMap((family) => service.clusterIps[family] ?? []);
  const withoutClusterIp = describeMissingClusterIps(service);
  const clusterIps = {
    ...(withoutClusterIp === undefined ? {} : { withoutClusterIp }),
    ...(assigned.length === 0 ? {} : { assignedClusterIps: assigned }),
  };
  return { service: key, type, ...clusterIps, ...problems, details: detailsOf(service, context.engine), ports };
}

function describeMissingClusterIps(service: Service): string | undefined {
  const missing = familiesWithoutClusterIp(service);
  if (missing.length === 0) return undefined;
  const labels = missing.map((family) => FAMILY_TRAITS[family].label).join(' or ');
  const isServed = missing.some((family) =>
    service.ports.some((port) => frontendsOf(service, { port, family }).length > 0),
  );
  const effect = isServed ? 'served at its node ports and other addresses' : 'nothing is served there';
  return `no ${labels} cluster IP: ${NO_CLUSTER_IP}; ${effect}`;
}

function viewPort(service: Service, port: ServicePortModel, { engine, kernel, healthChecks }: Context): PortView {
  const slotsByFrontend = port.frontends.map((frontend) => slotsOf(frontend, kernel));
  const node = { nodeName: engine.node.name, zone: engine.node.zone };
  return {
    name: port.port.name,
    family: FAMILY_TRAITS[port.family].label,
    protocol: port.port.protocol,
    port: port.port.port,
    topology: port.selection.topologyMode,
    frontends: port.frontends.map((frontend) =>
      viewFrontend(frontend, { service, port, engine, kernel, healthChecks }),
    ),
    endpoints: port.backends.map((backend) => {
      const reason = explainBackend(backend, { selection: port.selection, usage: port.endpointUsage, node });
      const selected = isSelected(backend, port);
      const withoutWeight = selected && service.weights[backend.address] === 0;
      return viewEndpoint(backend, slotsByFrontend, {
        reason: withoutWeight ? `${reason}, but its weight is 0` : reason,
        isExpected: selected && !withoutWeight,
      });
    }),
  };
}

function isSelected(backend: Backend, { selection }: ServicePortModel): boolean {
  return selection.cluster.includes(backend) || selection.local.includes(backend);
}

function viewEndpoint(
  backend: Backend,
  slotsByFrontend: readonly ListedElement[][][],
  { reason, isExpected }: { readonly reason: string; readonly isExpected: boolean },
): EndpointView {
  const data = `${backend.address} . ${backend.port}`;
  const [first = []] = slotsByFrontend.flat().filter((slots) => slots.some((slot) => slot.data === data));
  const slots = first.flatMap((slot, index) => (slot.data === data ? [index] : []));
  const all = slotsByFrontend.flat(2).filter((slot) => slot.data === data);
  return {
    endpoint: backend.name,
    node: backend.nodeName,
    used: slots.length > 0,
    missing: isExpected && slots.length === 0,
    reason,
    entries: explainEntries(backend),
    slots,
    share: first.length === 0 ? 0 : slots.length / first.length,
    connections: all.reduce((sum, slot) => sum + slot.packets, 0),
  };
}
