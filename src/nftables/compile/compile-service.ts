// Compiles a Service to elements.

import { inSteps, runSteps, type Steps } from '../../lib/steps.ts';
import type { Address } from '../../net/address.ts';
import { printDestination } from '../../net/address-port.ts';
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { contains, type Prefix, withoutOverlaps } from '../../net/prefix.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { Backend } from '../../services/model/backends.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { ServicePortModel } from '../../services/model/service-port.ts';
import type { Service } from '../../services/objects/service.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import { assignSlots } from '../plan/slots.ts';
import { comment, concat, type Element, type SetOrMap } from '../syntax/element.ts';
import { DesiredSlots } from './desired-slots.ts';
import {
  type AffinityEntry,
  affinityChainName,
  affinityId,
  affinityUpdateLocalName,
  affinityUpdateName,
  type BalanceClass,
  balanceChainName,
  type SlotChoice,
} from './endpoint-chains.ts';
import type { NodeView } from './node-view.ts';
import { SETS_AND_MAPS, type SetOrMapName } from './sets-and-maps.ts';

/** What the elements of a Service depend on besides its model. */
export interface CompileContext {
  readonly node: NodeView;
  /** Whether the Service owns this frontend, which others may claim, too. */
  readonly owns: (frontendKey: string) => boolean;
  /** Whether a cluster IP is also the address of an endpoint or of this node, which must stay reachable. */
  readonly isInUse: (clusterIp: Address) => boolean;
  /** The current slots of a frontend, from slot 0 on; empty for a new frontend. */
  readonly slots: (object: SetOrMap, key: string) => Iterable<string>;
}

/**
 * Identifies a frontend among those of all Services, in the form for operators: `10.0.0.1:80/tcp`, or
 * `IPv4 node port 30080/tcp`. Services with the same frontend key conflict.
 */
export function frontendKey({ address, family, servicePort: { protocol }, port }: Frontend): string {
  return address === undefined
    ? nodePortKey({ family, protocol, port })
    : printDestination({ address, port, protocol });
}

/** The {@link frontendKey} of a node port. */
export function nodePortKey({ family, protocol, port }: { family: Family; protocol: Protocol; port: number }): string {
  return `${FAMILY_TRAITS[family].label} node port ${port}/${protocol}`;
}

/** The key of a frontend in the maps of its kind: `address . protocol . port`, or `protocol . port` for a node port. */
export function serviceMapKey({ address, servicePort, port }: Frontend): string {
  return address === undefined ? concat(servicePort.protocol, port) : concat(address, servicePort.protocol, port);
}

/** The elements of a Service, in an order that depends on its model only. Elements of shared sets occur once. */
export function* compileSteps(
  service: Service,
  ports: readonly ServicePortModel[],
  context: CompileContext,
): Steps<Element[]> {
  const elements: Element[] = [];
  for (const [family, address] of Object.entries(service.clusterIps)) {
    if (context.isInUse(address)) continue;
    const object = SETS_AND_MAPS[family as keyof typeof SETS_AND_MAPS]['cluster-ips'];
    elements.push({ object, key: address, data: '', comment: comment(service.key), owner: service.key });
  }
  const hairpins = new Map<string, Element>();
  const desiredSlots = new DesiredSlots(service);
  for (const port of ports) {
    const add = elementAdder(elements, port, service.key);
    const owned = port.frontends.filter((frontend) => context.owns(frontendKey(frontend)));
    const portContext = { service, port, add, desiredSlots, compileContext: context };
    for (const frontend of owned) {
      yield* compileFrontend(frontend, portContext);
      yield;
    }
    addSourceRanges(owned, portContext);
    if (owned.length === 0) continue;
    for (const hairpin of hairpinElements(port, service.key)) hairpins.set(hairpin.key, hairpin);
  }
  return [...elements, ...hairpins.values()];
}

/** The result of {@link compileSteps}, without interruption. */
export function compileService(...parameters: Parameters<typeof compileSteps>): Element[] {
  return runSteps(compileSteps(...parameters));
}

type Add = (name: SetOrMapName, key: string, data: string) => void;

interface PortContext {
  readonly service: Service;
  readonly port: ServicePortModel;
  readonly add: Add;
  readonly desiredSlots: DesiredSlots;
  readonly compileContext: CompileContext;
}

function elementAdder(elements: Element[], { family, name }: ServicePortModel, owner: string): Add {
  const text = comment(name);
  return (object, key, data) =>
    elements.push({ object: SETS_AND_MAPS[family][object], key, data, comment: text, owner });
}

/** The maps for the elements of a frontend: frontends with an address and node ports have separate ones. */
interface FrontendMaps {
  readonly serviceMap: SetOrMapName;
  readonly slots: SetOrMapName;
  readonly shortCircuit: SetOrMapName;
  readonly localServiceMap: SetOrMapName;
  readonly localSlots: SetOrMapName;
  readonly noEndpoints: SetOrMapName;
  readonly affinityUpdates: SetOrMapName;
  readonly classes: Readonly<Record<'external' | 'direct' | 'local', BalanceClass>>;
  readonly affinityEntries: Readonly<Record<'external' | 'local', AffinityEntry>>;
}

const BY_ADDRESS: FrontendMaps = {
  serviceMap: 'service-ips',
  slots: 'endpoints',
  shortCircuit: 'short-circuit-ips',
  localServiceMap: 'local-service-ips',
  localSlots: 'local-endpoints',
  noEndpoints: 'no-endpoint-services',
  affinityUpdates: 'affinity-ips',
  classes: { external: 'external', direct: 'direct', local: 'local' },
  affinityEntries: { external: 'external', local: 'external-local' },
};
const BY_NODE_PORT: FrontendMaps = {
  serviceMap: 'service-nodeports',
  slots: 'nodeport-endpoints',
  shortCircuit: 'short-circuit-nodeports',
  localServiceMap: 'local-service-nodeports',
  localSlots: 'local-nodeport-endpoints',
  noEndpoints: 'no-endpoint-nodeports',
  affinityUpdates: 'affinity-nodeports',
  classes: { external: 'nodeport', direct: 'nodeport-direct', local: 'local-nodeport' },
  affinityEntries: { external: 'nodeport', local: 'nodeport-local' },
};

interface FrontendContext extends PortContext {
  readonly frontend: Frontend;
  /** The {@link serviceMapKey} of the frontend. */
  readonly key: string;
  readonly maps: FrontendMaps;
}

function* compileFrontend(frontend: Frontend, context: PortContext): Steps<void> {
  const maps = frontend.address === undefined ? BY_NODE_PORT : BY_ADDRESS;
  const isExternalLocal = frontend.kind !== 'cluster-ip' && frontend.policy === 'Local';
  const compile = isExternalLocal ? compileExternalLocal : compileSingleList;
  yield* compile({ ...context, frontend, maps, key: serviceMapKey(frontend) });
}

/** A frontend with the same endpoints for all clients. */
function* compileSingleList(context: FrontendContext): Steps<void> {
  const { frontend, key, maps, port, service, add, compileContext } = context;
  const internal = frontend.kind === 'cluster-ip';
  const backends = internal && frontend.policy === 'Local' ? port.selection.local : port.selection.cluster;
  const count = yield* fillSlots(maps.slots, backends, context);
  if (count === 0) {
    if (internal && frontend.address !== undefined && compileContext.isInUse(frontend.address)) return;
    add(maps.noEndpoints, key, port.selection.hasAnyEndpoints ? 'drop' : 'goto reject-chain');
  } else if (service.affinitySeconds > 0) {
    const internalEntry = frontend.policy === 'Local' ? 'cluster-local' : 'cluster';
    const entry = internal ? internalEntry : maps.affinityEntries.external;
    add(maps.serviceMap, key, `goto ${affinityChainName(entry, affinityIdFor(context))}`);
    add(maps.shortCircuit, key, `goto ${balanceChainName(maps.classes.direct, choiceOf(service), count)}`);
    addAffinityUpdates(backends, context);
  } else {
    const className = internal ? 'cluster' : maps.classes.external;
    add(maps.serviceMap, key, `goto ${balanceChainName(className, choiceOf(service), count)}`);
  }
}

/**
 * An external frontend with the Local policy: pods and processes of this node use all endpoints, other clients those of
 * this node. Weights of 0 can leave either list empty; clients without an endpoint are then dropped.
 */
function* compileExternalLocal(context: FrontendContext): Steps<void> {
  const { key, maps, port, service, add } = context;
  const { cluster, local, hasAnyEndpoints } = port.selection;
  const choice = choiceOf(service);
  const clusterCount = yield* fillSlots(maps.slots, cluster, context);
  const localCount = yield* fillSlots(maps.localSlots, local, context);
  if (clusterCount > 0)
    add(maps.shortCircuit, key, `goto ${balanceChainName(maps.classes.direct, choice, clusterCount)}`);
  else if (localCount > 0) add(maps.shortCircuit, key, 'drop');
  if (localCount > 0)
    add(maps.localServiceMap, key, `goto ${balanceChainName(maps.classes.local, choice, localCount)}`);
  else add(maps.noEndpoints, key, hasAnyEndpoints ? 'drop' : 'goto reject-chain');
  if (clusterCount + localCount === 0) return;
  if (service.affinitySeconds === 0) {
    add(maps.serviceMap, key, `goto ${maps.affinityEntries.local}`);
  } else {
    add(maps.serviceMap, key, `goto ${affinityChainName(maps.affinityEntries.local, affinityIdFor(context))}`);
    addAffinityUpdates(new Set([...cluster, ...local]), context);
  }
}

/** Adds the slots of a frontend and returns their number. */
function* fillSlots(object: SetOrMapName, backends: readonly Backend[], context: FrontendContext): Steps<number> {
  const { service, frontend, key, add, desiredSlots, compileContext } = context;
  const desired = yield* desiredSlots.of(backends);
  const isPositional = service.balance === 'maglev';
  const previous: string[] = [];
  const current = isPositional ? [] : compileContext.slots(SETS_AND_MAPS[frontend.family][object], key);
  yield* inSteps(current, (data) => previous.push(data));
  let slot = 0;
  yield* inSteps(yield* assignSlots(previous, desired), (data) => add(object, concat(key, slot++), data));
  return desired.length;
}

function choiceOf({ balance }: Service): SlotChoice {
  return balance === 'random' ? 'per-flow' : 'source';
}

function affinityIdFor({ service, port }: PortContext): string {
  return affinityId(service.key, port.port);
}

/** Adds the elements that store the endpoint of a flow from this frontend to one of these backends. */
function addAffinityUpdates(backends: Iterable<Backend>, context: FrontendContext): void {
  const { service, port, key, maps, add } = context;
  const clusterAddresses = new Set(port.selection.cluster.map((backend) => backend.address));
  for (const address of new Set(Array.from(backends, (backend) => backend.address))) {
    const chainName = clusterAddresses.has(address) ? affinityUpdateName : affinityUpdateLocalName;
    add(
      maps.affinityUpdates,
      concat(key, address),
      `goto ${chainName(service.affinitySeconds, affinityIdFor(context))}`,
    );
  }
}

/**
 * Restricts the load balancer addresses of a port to the source ranges. A process of this node that connects to such an
 * address may use it as its source, so if the ranges contain the node, these addresses are allowed, too.
 */
function addSourceRanges(frontends: readonly Frontend[], { service, port, add, compileContext }: PortContext): void {
  const restricted = frontends.filter((frontend) => frontend.kind === 'load-balancer-ip');
  const ranges = sourceRangesOf(service, port.family, { strict: compileContext.node.strictSourceRanges });
  if (ranges === 'open') return;
  const nodeIsAllowed = ranges.some((range) => contains(range, compileContext.node.addresses[port.family]));
  const nodeOwned = nodeIsAllowed ? restricted.flatMap(({ address }) => address ?? []) : [];
  const outsideRanges = nodeOwned.filter((address) => !ranges.some((range) => contains(range, address)));
  const sources = [...withoutOverlaps(ranges).map(withoutFullLength), ...outsideRanges];
  for (const frontend of restricted) {
    const key = serviceMapKey(frontend);
    add('firewall-ips', key, '');
    for (const source of sources) add('source-ranges', concat(key, source), '');
  }
}

/** nft lists a prefix of full length as an address. */
function withoutFullLength({ family, text, length }: Prefix): string {
  return length === FAMILY_TRAITS[family].bits ? text.slice(0, text.indexOf('/')) : text;
}

/**
 * An endpoint of this node that connects to itself must see another client address, or it replies to itself. Endpoints that
 * are no longer selected are included, because they still answer on their connections.
 */
function hairpinElements({ family, name, port: { protocol }, backends }: ServicePortModel, owner: string): Element[] {
  const object = SETS_AND_MAPS[family]['hairpin-connections'];
  const local = backends.filter(({ isLocal }) => isLocal);
  return local.map(({ address, port }) => {
    const key = concat(address, address, protocol, port);
    return { object, key, data: '', comment: comment(name), owner };
  });
}
