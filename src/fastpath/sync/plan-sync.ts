// Plans a sync of the fast path: what to attach, to write to the maps and to detach.

import type { Address } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { backendPath, inactiveReason } from '../eligibility/backend-path.ts';
import type { DesiredFrontends } from '../eligibility/eligibility-index.ts';
import { resolveBackends, type UnresolvedFrontend } from '../eligibility/resolve-backends.ts';
import type { AttachPoint, ProgramRole } from '../loader/loader-client.ts';
import type { FlowCounts, MapPlan, MapState, ResolvedFrontend } from '../maps/map-state.ts';
import type { AttachedDevices } from '../node/attachments.ts';
import type { Uplink } from '../node/node-network.ts';
import type { PodLocation } from '../node/pod-location.ts';

/** The desired frontends, and the state of the node as last read. */
export interface SyncInput {
  /** In milliseconds. */
  readonly now: number;
  readonly desired: DesiredFrontends;
  /** Why the fast path must stay off on this node. */
  readonly nodeConflict: string | undefined;
  /** All uplinks, usable or not. */
  readonly uplinks: readonly Uplink[];
  /** The location of each pod, or why it was not found. */
  readonly locations: ReadonlyMap<Address, PodLocation | string>;
  /** Ifindexes of all devices. */
  readonly devices: ReadonlySet<number>;
  /** Clients that nftables serves. */
  readonly excludedSources: readonly Prefix[];
  readonly attached: AttachedDevices;
  /** The latest count of flows; `undefined` before the first. */
  readonly flows: FlowCounts | undefined;
  /** The loaded programs can take UDP flows. */
  readonly servesUdp: boolean;
  /** Service ports whose new flows nftables serves for now. */
  readonly suspended: ReadonlySet<string>;
}

/** The steps of a sync, in order, and the frontends that result. */
export interface SyncPlan {
  /** Why no new flows are taken. */
  readonly inactiveReason: string | undefined;
  /** Served frontends: all their backends can be reached. */
  readonly frontends: readonly ResolvedFrontend[];
  readonly unresolved: readonly UnresolvedFrontend[];
  /** Pods first: a flow whose replies bypass the programs breaks. */
  readonly attach: readonly AttachPoint[];
  readonly maps: MapPlan;
  readonly detach: readonly AttachPoint[];
}

/** Does no I/O. Advances `maps` to the planned state; if a step fails, read the maps again. */
export function planSync(input: SyncInput, maps: MapState): SyncPlan {
  const { desired, now, devices, attached, suspended, servesUdp: udp } = input;
  const uplinks = input.uplinks.filter(({ reason }) => reason === undefined);
  const inactive = inactiveReason(input.nodeConflict, uplinks);
  const { frontends, unresolved } = resolveBackends(
    desired.frontends,
    (backend) => inactive ?? backendPath(backend, input.locations.get(backend.address), { udp, uplinks }),
  );
  const resolved = frontends.map((frontend) => ({ ...frontend, suspended: suspended.has(frontend.servicePort) }));
  const required: AttachedDevices = {
    pod: new Set(resolved.flatMap(({ backends }) => backends.map(({ ifindex }) => ifindex))),
    uplink: new Set(inactive === undefined ? uplinks.map(({ ifindex }) => ifindex) : []),
  };
  const mapPlan = maps.plan(
    {
      frontends: resolved,
      excludedSources: input.excludedSources,
      uplinks: new Map(uplinks.map(({ ifindex, mtu }) => [ifindex, mtu])),
      devices,
    },
    { now, flows: input.flows },
  );
  return {
    inactiveReason: inactive?.reason,
    frontends: resolved,
    unresolved,
    attach: missing(required, attached),
    maps: mapPlan,
    detach: unused({ required, attached, devices, podsInUse: podDevicesOf(maps) }),
  };
}

/** The steps after devices of pods were deleted. */
export interface DeviceRemoval {
  /** Ifindexes of the deleted devices. Reset their connections before writing the maps. */
  readonly deleted: readonly number[];
  readonly lines: readonly string[];
}

/** Returns `undefined` if no device in `maps` was deleted. Does no I/O; advances `maps` to the planned state. */
export function planDeviceRemoval(
  maps: MapState,
  { devices, now }: Pick<SyncInput, 'devices' | 'now'>,
): DeviceRemoval | undefined {
  const deleted = [...podDevicesOf(maps)].filter((ifindex) => !devices.has(ifindex));
  return deleted.length === 0 ? undefined : { deleted, lines: maps.removeDevices(devices, now) };
}

/** Devices of pods with a used slot. */
function podDevicesOf(maps: MapState): Set<number> {
  return new Set([...maps.slots.used].map(({ backend }) => backend.ifindex));
}

const ROLES: readonly ProgramRole[] = ['pod', 'uplink'];

function missing(required: AttachedDevices, attached: AttachedDevices): AttachPoint[] {
  return ROLES.flatMap((role) =>
    [...required[role]].flatMap((ifindex) => (attached[role].has(ifindex) ? [] : { role, ifindex })),
  );
}

/** A program stays on a pod's device while the pod has a used slot, and on an uplink while any slot is used. */
function unused({
  required,
  attached,
  devices,
  podsInUse,
}: {
  readonly required: AttachedDevices;
  readonly attached: AttachedDevices;
  readonly devices: ReadonlySet<number>;
  readonly podsInUse: ReadonlySet<number>;
}): AttachPoint[] {
  const isUsed: Readonly<Record<ProgramRole, (ifindex: number) => boolean>> = {
    pod: (ifindex) => podsInUse.has(ifindex),
    uplink: (ifindex) => podsInUse.size > 0 || required.uplink.has(ifindex),
  };
  return ROLES.flatMap((role) =>
    [...new Set([...attached[role], ...required[role]])].flatMap((ifindex) =>
      isUsed[role](ifindex) && devices.has(ifindex) ? [] : { role, ifindex },
    ),
  );
}
