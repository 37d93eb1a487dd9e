// Builds the status of the fast path.

import { printAddressPort, printDestination } from '../../net/address-port.ts';
import type { DesiredFrontend, SkippedAddresses } from '../eligibility/eligibility-index.ts';
import type { UnresolvedFrontend } from '../eligibility/resolve-backends.ts';
import { frontendId } from '../maps/frontend-table.ts';
import { BACKEND_NEIGH } from '../maps/layout.ts';
import type { MapPlan, MapState } from '../maps/map-state.ts';
import type { NetworkState } from '../node/network-state.ts';
import type { SyncResult } from '../sync/reconciler.ts';
import type { SyncFailure } from '../sync/sync-failures.ts';
import type { FastPathFrontend, FastPathStatus, FastPathTotals, SkippedFrontend } from './fast-path-status.ts';

/** The result of a sync, with the settings of the fast path. */
interface SyncedFastPath extends SyncResult {
  readonly mode: FastPathStatus['mode'];
  readonly attach: string | undefined;
}

const NO_TOTALS: FastPathTotals = {
  ...{ collections: 0, scanned: 0, deleted: 0, fallbacks: 0, failures: 0, loaderRestarts: 0 },
};

/** The status without a successful sync. */
export function inactiveStatus(mode: FastPathStatus['mode'], reason: string): FastPathStatus {
  const nothing = { uplinks: [], podDevices: [], frontends: [], skipped: [], excludedSources: [], packets: [] };
  const none = { entries: 0, limit: 0 };
  const tables = { flows: { ip: 0, ip6: 0 }, flowTables: { ip: none, ip6: none }, slots: { used: 0, draining: 0 } };
  return { mode, state: 'off', reason, ...nothing, ...tables, totals: NO_TOTALS };
}

/** The status while syncs fail. `before` is the last good one; `inactiveReason` is set if no new flows are taken. */
export function failingStatus(
  before: FastPathStatus,
  { failing, inactiveReason }: { readonly failing: SyncFailure; readonly inactiveReason: string | undefined },
): FastPathStatus {
  const { reason: _, ...rest } = before;
  return {
    ...rest,
    state: inactiveReason === undefined ? 'on' : 'off',
    ...(inactiveReason === undefined ? {} : { reason: inactiveReason }),
    failing,
  };
}

/** The status after a successful sync, with empty totals. */
export function statusOf(result: SyncedFastPath): FastPathStatus {
  const { mode, attach, servesUdp: udp, input, plan, maps } = result;
  const nameOf = deviceNames(result.network);
  return {
    mode,
    state: plan.inactiveReason === undefined ? 'on' : 'off',
    ...(plan.inactiveReason === undefined ? {} : { reason: plan.inactiveReason }),
    ...(attach === undefined ? {} : { attach, udp }),
    uplinks: input.uplinks.map(({ name, reason }) => (reason === undefined ? { name } : { name, reason })),
    podDevices: [...result.attached.pod].map(nameOf).sort(),
    frontends: input.desired.frontends.flatMap((frontend) => frontendStatus(frontend, { ...result, nameOf })),
    skipped: [
      ...input.desired.skipped.flatMap(ineligibleStatus),
      ...plan.unresolved.map(unresolvedStatus),
      ...input.desired.frontends.flatMap((frontend) => overflowStatus(frontend, plan.maps)),
    ],
    excludedSources: input.excludedSources.map(({ text }) => text),
    ...flowTableUsage(result),
    slots: slotUsage(maps),
    packets: result.lastCollection?.packets ?? [],
    totals: NO_TOTALS,
  };
}

/** A flow has two entries. */
function flowTableUsage({ lastCollection, maxFlows }: SyncResult): Pick<FastPathStatus, 'flows' | 'flowTables'> {
  const { ip, ip6 } = lastCollection?.collected.remaining ?? { ip: 0, ip6: 0 };
  const limit = 2 * maxFlows;
  return {
    flows: { ip: ip / 2, ip6: ip6 / 2 },
    flowTables: { ip: { entries: ip, limit }, ip6: { entries: ip6, limit } },
  };
}

function slotUsage(maps: MapState): FastPathStatus['slots'] {
  const slots = [...maps.slots.used];
  return { used: slots.length, draining: slots.filter(({ idleSince }) => idleSince !== undefined).length };
}

function ineligibleStatus({ name, frontend, addresses, cause, reason }: SkippedAddresses): SkippedFrontend[] {
  const { port, servicePort } = frontend;
  return addresses.map((address) => {
    return { name, destination: printDestination({ address, port, protocol: servicePort.protocol }), cause, reason };
  });
}

function unresolvedStatus({ frontend: { name, key }, cause, reason }: UnresolvedFrontend): SkippedFrontend {
  return { name, destination: printDestination(key), cause, reason };
}

function overflowStatus({ name, key }: DesiredFrontend, { overflow }: MapPlan): SkippedFrontend[] {
  const exceeded = overflow.get(frontendId(key));
  if (exceeded === undefined) return [];
  return [{ name, destination: printDestination(key), cause: 'capacity', reason: `no free ${exceeded}` }];
}

function deviceNames({ links }: NetworkState): (ifindex: number) => string {
  const names = new Map([...links.values()].map(({ ifindex, name }) => [ifindex, name]));
  return (ifindex) => names.get(ifindex) ?? `device ${ifindex}`;
}

function frontendStatus(
  frontend: DesiredFrontend,
  { maps, flows: counts, nameOf }: SyncResult & { readonly nameOf: (ifindex: number) => string },
): FastPathFrontend[] {
  const value = maps.frontendOf(frontend.key);
  if (value === undefined) return [];
  const backends = value.slots.flatMap((slot) => maps.slots.get(slot)?.backend ?? []);
  const flows = [...new Set(value.slots)].reduce((sum, slot) => sum + (counts?.bySlot.get(slot) ?? 0), 0);
  return [
    {
      name: frontend.name,
      kind: frontend.kind,
      destination: printDestination(frontend.key),
      backends: backends.map(({ ifindex, address, port, flags }) => {
        const egress = (flags & BACKEND_NEIGH) === 0 ? '' : ' (through its qdisc or filter)';
        return `${nameOf(ifindex)} ${printAddressPort({ address, port })}${egress}`;
      }),
      flows,
      ...(value.suspended ? { suspended: 'no replies through the fast path' } : {}),
    },
  ];
}
