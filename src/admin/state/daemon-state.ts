// The state of a running daemon that inspection commands read.

import { Engine } from '../../engine/engine.ts';
import type { Refusal } from '../../engine/service-change.ts';
import type { FastPathStatus } from '../../fastpath/status/fast-path-status.ts';
import type { Address } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { NodeOptions } from '../../nftables/compile/node-view.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Kind, KindMap } from '../../services/objects/kinds.ts';
import type { Node } from '../../services/objects/node.ts';
import type { Service } from '../../services/objects/service.ts';
import type { ServiceCidr } from '../../services/objects/service-cidr.ts';
import type { ValidationIssue } from '../../services/objects/validation-issue.ts';
import type { DaemonStatus } from './daemon-status.ts';
import { type Destination, servicesAt, slicesAt } from './state-query.ts';

/** Everything that the ruleset depends on, as plain JSON values. */
export interface DaemonState {
  readonly version: string;
  readonly pid: number;
  /** How old the objects are, and what is wrong. */
  readonly status: DaemonStatus;
  /** The source of objects, for messages. */
  readonly source: string;
  /** All objects have been listed once. */
  readonly ready: boolean;
  readonly options: NodeOptions;
  readonly hostAddresses: readonly Address[];
  readonly hostNetworks: readonly Prefix[];
  readonly objects: {
    readonly Service: readonly Service[];
    readonly EndpointSlice: readonly EndpointSlice[];
    readonly Node: readonly Node[];
    readonly ServiceCIDR: readonly ServiceCidr[];
  };
  /** Why valid Services are not proxied, by key; none with a destination. */
  readonly skippedServices?: Readonly<Record<string, string>>;
  readonly issues: readonly ValidationIssue[];
  readonly refusals: readonly Refusal[];
  /** How many Services exceed a limit. */
  readonly limited: number;
  /** Absent in the state of older daemons. */
  readonly fastPath?: FastPathStatus;
}

/** The part of the state that an engine holds; with a destination, only the objects that matter for its packets. */
export function engineState(
  engine: Engine,
  destination?: Destination,
): Pick<
  DaemonState,
  | 'ready'
  | 'options'
  | 'hostAddresses'
  | 'hostNetworks'
  | 'objects'
  | 'skippedServices'
  | 'issues'
  | 'refusals'
  | 'limited'
> {
  const { store } = engine;
  const services = servicesAt(engine, destination);
  const keys = new Set(services.map(({ key }) => key));
  return {
    ready: store.isReady,
    // Cluster IPs are already assigned, and a part of the Services would get others.
    options: { ...engine.options, serviceClusterIpRange: undefined },
    hostAddresses: engine.hostAddresses,
    hostNetworks: engine.hostNetworks,
    objects: {
      Service: services,
      EndpointSlice: slicesAt(engine, { services, destination }),
      Node: [...store.nodes.values()],
      ServiceCIDR: [...store.serviceCidrs.values()],
    },
    skippedServices: destination === undefined ? Object.fromEntries(store.skippedServices) : {},
    issues: engine.issues(),
    refusals: engine.refusals().filter(({ service }) => keys.has(service)),
    limited: engine.limited().length,
  };
}

/**
 * The part of a whole state that matters for packets to this destination: with 10,000 Services, it is found in a tenth of
 * the time that compiling them takes. All of it if a limit applies, because it depends on all Services.
 */
export function selectState(state: DaemonState, destination: Destination | undefined): DaemonState {
  if (destination === undefined || state.limited > 0) return state;
  const { objects } = engineState(engineFromState(state), destination);
  const keys = new Set(objects.Service.map(({ key }) => key));
  return { ...state, objects, refusals: state.refusals.filter(({ service }) => keys.has(service)) };
}

/** A new engine with the objects of a state, not yet compiled. Apply refusals after compiling. */
export function engineFromState(
  state: Pick<DaemonState, 'options' | 'hostAddresses' | 'hostNetworks' | 'objects' | 'skippedServices'>,
): Engine {
  const engine = new Engine(state.options);
  engine.setHostAddresses(state.hostAddresses, state.hostNetworks);
  for (const kind of ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const)
    loadObjects(engine, kind, state.objects[kind]);
  for (const [key, skipped] of Object.entries(state.skippedServices ?? {}))
    engine.put('Service', { key, skipped, issues: [] });
  return engine;
}

function loadObjects<K extends Kind>(engine: Engine, kind: K, objects: readonly KindMap[K][]): void {
  engine.replace(
    kind,
    objects.map((value) => ({ key: value.key, value, issues: [] })),
  );
}
