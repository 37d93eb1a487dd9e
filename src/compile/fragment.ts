// One Service as elements: the only thing that it is in the kernel.
import type { Service } from '../kube/service.ts';
import type { Backend } from '../model/backends.ts';
import type { Frontend } from '../model/frontends.ts';
import type { ServicePortModel } from '../model/service-port.ts';
import { comment, concat, type Element, type NftObject } from '../nft/element.ts';
import { assignSlots } from '../plan/slots.ts';
import { balanceChainName } from './chains.ts';
import { OBJECTS, type ObjectName } from './objects.ts';

/** What compiling a Service depends on besides the Service itself. */
export interface Surroundings {
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
    for (const frontend of owned) compileFrontend(frontend, port, { add, around });
    if (owned.length === 0) continue;
    for (const backend of [...port.selection.cluster, ...port.selection.local]) {
      if (backend.local) addHairpin(hairpins, backend, port, service.key);
    }
  }
  return [...elements, ...hairpins.values()];
}

type Add = (name: ObjectName, key: string, data: string) => void;

function adder(elements: Element[], { family, name }: ServicePortModel, owner: string): Add {
  const text = comment(name);
  return (object, key, data) => elements.push({ object: OBJECTS[family][object], key, data, comment: text, owner });
}

/** Where the elements of a frontend go: those with an address and node ports have maps of their own. */
const BY_ADDRESS = {
  dispatch: 'service-ips',
  slots: 'endpoints',
  shortCircuit: 'short-circuit-ips',
  localDispatch: 'local-service-ips',
  localSlots: 'local-endpoints',
  refusals: 'no-endpoints',
  classes: { external: 'external', entry: 'external-local', direct: 'direct', local: 'local' },
} as const;
const BY_NODE_PORT = {
  dispatch: 'service-nodeports',
  slots: 'nodeport-endpoints',
  shortCircuit: 'short-circuit-nodeports',
  localDispatch: 'local-service-nodeports',
  localSlots: 'local-nodeport-endpoints',
  refusals: 'no-endpoint-nodeports',
  classes: { external: 'nodeport', entry: 'nodeport-local', direct: 'nodeport-direct', local: 'nodeport-to-local' },
} as const;

function compileFrontend(
  frontend: Frontend,
  { selection }: ServicePortModel,
  { add, around }: { add: Add; around: Surroundings },
): void {
  const key = dispatchKey(frontend);
  const maps = frontend.address === undefined ? BY_NODE_PORT : BY_ADDRESS;
  const fill = (object: ObjectName, backends: readonly Backend[]): void => {
    const previous = around.slots(OBJECTS[frontend.family][object], key);
    const slots = assignSlots(previous, backends.map(endpointData));
    for (const [slot, data] of slots.entries()) add(object, concat(key, slot), data);
  };
  const lead = (object: ObjectName, className: string, backends: readonly Backend[]): void => {
    if (backends.length > 0) add(object, key, `goto ${balanceChainName(className, backends.length)}`);
  };
  const refusal = selection.any ? 'drop' : 'goto refuse';

  if (frontend.kind === 'cluster-ip' || frontend.policy === 'Cluster') {
    const internal = frontend.kind === 'cluster-ip';
    const backends = internal && frontend.policy === 'Local' ? selection.local : selection.cluster;
    fill(maps.slots, backends);
    lead(maps.dispatch, internal ? 'cluster' : maps.classes.external, backends);
    if (backends.length === 0) add(maps.refusals, key, refusal);
    return;
  }
  fill(maps.slots, selection.cluster);
  fill(maps.localSlots, selection.local);
  lead(maps.shortCircuit, maps.classes.direct, selection.cluster);
  lead(maps.localDispatch, maps.classes.local, selection.local);
  if (selection.any) add(maps.dispatch, key, `goto ${maps.classes.entry}`);
  if (selection.local.length === 0) add(maps.refusals, key, refusal);
}

function endpointData({ address, port }: Backend): string {
  return concat(address, port);
}

/** An endpoint of this node that reaches itself must see another client address, or it answers to itself. */
function addHairpin(hairpins: Map<string, Element>, backend: Backend, port: ServicePortModel, owner: string): void {
  const object = OBJECTS[port.family].hairpin;
  const key = concat(backend.address, backend.address, port.port.protocol, backend.port);
  hairpins.set(`${port.family} ${key}`, { object, key, data: '', comment: comment(port.name), owner });
}
