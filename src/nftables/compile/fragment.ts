// One Service as elements: the only thing that it is in the kernel.

import { contains, withoutOverlaps } from '../../net/prefix.ts';
import type { Backend } from '../../services/model/backends.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { ServicePortModel } from '../../services/model/service-port.ts';
import { rangesOf, type Service } from '../../services/objects/service.ts';
import { assignSlots } from '../plan/slots.ts';
import { comment, concat, type Element, type NftObject } from '../syntax/element.ts';
import {
  affinityId,
  type BalanceClass,
  balanceName,
  type Choice,
  rememberLocalName,
  rememberName,
  type StickyEntry,
  stickyName,
} from './led-chains.ts';
import type { NodeView } from './node-view.ts';
import { OBJECTS, type ObjectName } from './objects.ts';
import { wantedSlots } from './wanted-slots.ts';

/** What compiling a Service depends on besides the Service itself. */
export interface Surroundings {
  readonly node: NodeView;
  /** Whether the Service has this frontend to itself: of two that claim one, the older has it. */
  readonly owns: (frontendKey: string) => boolean;
  /** What the slots of a frontend hold now, from slot 0 on; empty when it is new. */
  readonly slots: (object: NftObject, key: string) => readonly string[];
}

/**
 * Names a frontend across all Services: `service-ips` or `service-nodeports` of a family, and the key there.
 * Two Services with the same one collide.
 */
export function frontendKey(frontend: Frontend): string {
  return `${frontend.family} ${dispatchKey(frontend)}`;
}

/** The key of a frontend in the maps of its kind: `address . protocol . port`, or `protocol . port` for a node port. */
export function dispatchKey({ address, servicePort, port }: Frontend): string {
  return address === undefined ? concat(servicePort.protocol, port) : concat(address, servicePort.protocol, port);
}

/** The elements of a Service, in an order that depends on nothing but its model. Elements of shared sets come once. */
export function compileService(service: Service, ports: readonly ServicePortModel[], around: Surroundings): Element[] {
  const elements: Element[] = [];
  for (const [family, address] of Object.entries(service.clusterIps)) {
    const object = OBJECTS[family as keyof typeof OBJECTS]['cluster-ips'];
    elements.push({ object, key: address, data: '', comment: comment(service.key), owner: service.key });
  }
  const hairpins = new Map<string, Element>();
  for (const port of ports) {
    const add = adder(elements, port, service.key);
    const owned = port.frontends.filter((frontend) => around.owns(frontendKey(frontend)));
    for (const frontend of owned) compileFrontend(frontend, { service, port, add, around });
    guard(owned, { service, port, add, around });
    if (owned.length === 0) continue;
    for (const backend of [...port.selection.cluster, ...port.selection.local]) {
      if (backend.local) addHairpin(hairpins, backend, port, service.key);
    }
  }
  return [...elements, ...hairpins.values()];
}

type Add = (name: ObjectName, key: string, data: string) => void;

interface Context {
  readonly service: Service;
  readonly port: ServicePortModel;
  readonly add: Add;
  readonly around: Surroundings;
}

function adder(elements: Element[], { family, name }: ServicePortModel, owner: string): Add {
  const text = comment(name);
  return (object, key, data) => elements.push({ object: OBJECTS[family][object], key, data, comment: text, owner });
}

/** Where the elements of a frontend go: those with an address and node ports have maps of their own. */
interface Maps {
  readonly dispatch: ObjectName;
  readonly slots: ObjectName;
  readonly shortCircuit: ObjectName;
  readonly localDispatch: ObjectName;
  readonly localSlots: ObjectName;
  readonly refusals: ObjectName;
  readonly affinity: ObjectName;
  readonly classes: Readonly<Record<'external' | 'direct' | 'local', BalanceClass>>;
  readonly sticky: Readonly<Record<'external' | 'local', StickyEntry>>;
}

const BY_ADDRESS: Maps = {
  dispatch: 'service-ips',
  slots: 'endpoints',
  shortCircuit: 'short-circuit-ips',
  localDispatch: 'local-service-ips',
  localSlots: 'local-endpoints',
  refusals: 'no-endpoints',
  affinity: 'affinity-ips',
  classes: { external: 'external', direct: 'direct', local: 'local' },
  sticky: { external: 'external', local: 'external-local' },
};
const BY_NODE_PORT: Maps = {
  dispatch: 'service-nodeports',
  slots: 'nodeport-endpoints',
  shortCircuit: 'short-circuit-nodeports',
  localDispatch: 'local-service-nodeports',
  localSlots: 'local-nodeport-endpoints',
  refusals: 'no-endpoint-nodeports',
  affinity: 'affinity-nodeports',
  classes: { external: 'nodeport', direct: 'nodeport-direct', local: 'nodeport-to-local' },
  sticky: { external: 'nodeport', local: 'nodeport-local' },
};

function compileFrontend(frontend: Frontend, context: Context): void {
  const maps = frontend.address === undefined ? BY_NODE_PORT : BY_ADDRESS;
  const usesBoth = frontend.kind !== 'cluster-ip' && frontend.policy === 'Local';
  if (usesBoth) compileLocalPolicy(frontend, maps, context);
  else compileOneList(frontend, maps, context);
}

/** A frontend whose clients all get the same list of endpoints. */
function compileOneList(frontend: Frontend, maps: Maps, context: Context): void {
  const { port, service, add } = context;
  const key = dispatchKey(frontend);
  const internal = frontend.kind === 'cluster-ip';
  const backends = internal && frontend.policy === 'Local' ? port.selection.local : port.selection.cluster;
  const count = fill(maps.slots, backends, frontend, context);
  if (count === 0) {
    add(maps.refusals, key, port.selection.any ? 'drop' : 'goto refuse');
  } else if (service.affinitySeconds > 0) {
    const entry = frontend.policy === 'Local' ? 'cluster-local' : 'cluster';
    add(maps.dispatch, key, `goto ${stickyName(internal ? entry : maps.sticky.external, idOf(context))}`);
    add(maps.shortCircuit, key, `goto ${balanceName(maps.classes.direct, choiceOf(service), count)}`);
    remember(frontend, backends, maps, context);
  } else {
    const className = internal ? 'cluster' : maps.classes.external;
    add(maps.dispatch, key, `goto ${balanceName(className, choiceOf(service), count)}`);
  }
}

/**
 * An external frontend under the Local policy: one list for pods and processes of this node, another for all others.
 * Weights of 0 can leave the first empty and not the second; who has no endpoint is dropped, not let through.
 */
function compileLocalPolicy(frontend: Frontend, maps: Maps, context: Context): void {
  const { port, service, add } = context;
  const { cluster, local, any } = port.selection;
  const key = dispatchKey(frontend);
  const choice = choiceOf(service);
  const all = fill(maps.slots, cluster, frontend, context);
  const here = fill(maps.localSlots, local, frontend, context);
  if (all > 0) add(maps.shortCircuit, key, `goto ${balanceName(maps.classes.direct, choice, all)}`);
  else if (here > 0) add(maps.shortCircuit, key, 'drop');
  if (here > 0) add(maps.localDispatch, key, `goto ${balanceName(maps.classes.local, choice, here)}`);
  if (here === 0) add(maps.refusals, key, any ? 'drop' : 'goto refuse');
  if (all + here === 0) return;
  if (service.affinitySeconds === 0) {
    add(maps.dispatch, key, `goto ${maps.sticky.local}`);
  } else {
    add(maps.dispatch, key, `goto ${stickyName(maps.sticky.local, idOf(context))}`);
    remember(frontend, [...new Set([...cluster, ...local])], maps, context);
  }
}

/** Fills the slots of a frontend and says how many there are. */
function fill(
  object: ObjectName,
  backends: readonly Backend[],
  frontend: Frontend,
  { service, add, around }: Context,
): number {
  const key = dispatchKey(frontend);
  const wanted = wantedSlots(service, backends);
  const inPlace = service.balance === 'maglev';
  const previous = inPlace ? [] : around.slots(OBJECTS[frontend.family][object], key);
  for (const [slot, data] of assignSlots(previous, wanted).entries()) add(object, concat(key, slot), data);
  return wanted.length;
}

function choiceOf({ balance }: Service): Choice {
  return balance === 'random' ? 'spread' : 'source';
}

function idOf({ service, port }: Context): string {
  return affinityId(service.key, port.port);
}

/** Who dialled this frontend and got one of these endpoints is to be remembered. */
function remember(frontend: Frontend, backends: readonly Backend[], maps: Maps, context: Context): void {
  const seconds = context.service.affinitySeconds;
  const everywhere = new Set(context.port.selection.cluster.map((backend) => backend.address));
  for (const address of new Set(backends.map((backend) => backend.address))) {
    const chain = (everywhere.has(address) ? rememberName : rememberLocalName)(seconds, idOf(context));
    context.add(maps.affinity, concat(dispatchKey(frontend), address), `goto ${chain}`);
  }
}

/**
 * Closes the load balancer addresses of a port to all but the given ranges. A process of this node that dials one of them
 * may have that very address as its own: where the node is allowed, the addresses are too.
 */
function guard(frontends: readonly Frontend[], { service, port, add, around }: Context): void {
  const guarded = frontends.filter((frontend) => frontend.kind === 'load-balancer-ip');
  const ranges = rangesOf(service, port.family, { strict: around.node.strictSourceRanges });
  if (ranges === 'open') return;
  const nodeIsAllowed = ranges.some((range) => contains(range, around.node.addresses[port.family]));
  const own = nodeIsAllowed ? guarded.flatMap(({ address }) => address ?? []) : [];
  const outside = own.filter((address) => !ranges.some((range) => contains(range, address)));
  const sources = [...withoutOverlaps(ranges).map(({ text }) => withoutFullLength(text)), ...outside];
  for (const frontend of guarded) {
    const key = dispatchKey(frontend);
    add('guarded-ips', key, '');
    for (const source of sources) add('source-ranges', concat(key, source), '');
  }
}

/** nft lists the prefix of a single address as that address. */
function withoutFullLength(prefix: string): string {
  return prefix.replace(prefix.includes(':') ? /\/128$/ : /\/32$/, '');
}

/** An endpoint of this node that reaches itself must see another client address, or it answers to itself. */
function addHairpin(hairpins: Map<string, Element>, backend: Backend, port: ServicePortModel, owner: string): void {
  const object = OBJECTS[port.family].hairpin;
  const key = concat(backend.address, backend.address, port.port.protocol, backend.port);
  hairpins.set(`${port.family} ${key}`, { object, key, data: '', comment: comment(port.name), owner });
}
