// What the fast path tells of itself.

import { printAddressPort } from '../../net/address-port.ts';
import type { DesiredFrontends } from '../eligibility/eligibility-index.ts';
import type { UnresolvedFrontend } from '../eligibility/resolve-backends.ts';
import type { LastCollection } from '../flows/flow-collector.ts';
import type { ProbeResult } from '../loader/loader-client.ts';
import { frontendId } from '../maps/frontend-table.ts';
import { BACKEND_NEIGH } from '../maps/layout.ts';
import type { FlowCounts, MapPlan, MapState } from '../maps/map-state.ts';
import type { NetworkState } from '../node/network-state.ts';
import type { Uplink } from '../node/node-network.ts';
import type { SyncFailure } from '../sync/sync-failures.ts';
import type { FastPathFrontend, FastPathStatus, FastPathTotals, SkippedFrontend } from './fast-path-status.ts';

/** What one pass of work has seen. */
export interface SyncResult {
  readonly mode: FastPathStatus['mode'];
  /** Why nothing is taken. */
  readonly inactiveReason: string | undefined;
  readonly probe: ProbeResult | undefined;
  readonly uplinks: readonly Uplink[];
  readonly desired: DesiredFrontends;
  readonly unresolved: readonly UnresolvedFrontend[];
  readonly plan: MapPlan;
  readonly maps: MapState;
  readonly network: NetworkState;
  /** Blocks of addresses whose packets nft has to see. */
  readonly excludedSources: readonly string[];
  readonly flows: FlowCounts | undefined;
  /** For flows of each family. */
  readonly maxFlows: number;
  /** What is attached, as `role number`. */
  readonly attached: ReadonlySet<string>;
}

const NO_TOTALS: FastPathTotals = {
  ...{ collections: 0, scanned: 0, deleted: 0, fallbacks: 0, failures: 0, loaderRestarts: 0 },
};

/** The view of a fast path that does nothing. */
export function inactiveStatus(mode: FastPathStatus['mode'], reason: string): FastPathStatus {
  const nothing = { uplinks: [], podDevices: [], frontends: [], skipped: [], excludedSources: [], packets: [] };
  const none = { entries: 0, limit: 0 };
  const tables = { flows: { ip: 0, ip6: 0 }, flowTables: { ip: none, ip6: none }, slots: { used: 0, draining: 0 } };
  return { mode, state: 'off', reason, ...nothing, ...tables, totals: NO_TOTALS };
}

/** What was last seen, of a fast path that cannot be kept in step; `off` says why nothing is taken, if that is so. */
export function failingStatus(
  before: FastPathStatus,
  failing: SyncFailure,
  inactiveReason: string | undefined,
): FastPathStatus {
  const { reason: _, ...rest } = before;
  return {
    ...rest,
    state: inactiveReason === undefined ? 'on' : 'off',
    ...(inactiveReason === undefined ? {} : { reason: inactiveReason }),
    failing,
  };
}

/** What a pass of work that succeeded leaves to be seen; totals are for others to fill in. */
export function statusOf(result: SyncResult, lastCollection: LastCollection | undefined): FastPathStatus {
  const { mode, inactiveReason, probe, desired, maps, attached } = result;
  const nameOf = deviceNames(result.network);
  const slots = [...maps.slots.used];
  const { remaining = { ip: 0, ip6: 0 } } = lastCollection?.collected ?? {};
  return {
    mode,
    state: inactiveReason === undefined ? 'on' : 'off',
    ...(inactiveReason === undefined ? {} : { reason: inactiveReason }),
    ...(probe === undefined ? {} : { attach: probe.attach, udp: probe.udp }),
    uplinks: result.uplinks.map(({ name, reason }) => (reason === undefined ? { name } : { name, reason })),
    podDevices: [...attached].flatMap((key) => (key.startsWith('pod ') ? [nameOf(Number(key.slice(4)))] : [])).sort(),
    frontends: desired.frontends.flatMap((frontend) => frontendStatus(frontend, result, nameOf)),
    skipped: skippedOf(result),
    excludedSources: result.excludedSources,
    flows: { ip: remaining.ip / 2, ip6: remaining.ip6 / 2 },
    flowTables: {
      ip: { entries: remaining.ip, limit: 2 * result.maxFlows },
      ip6: { entries: remaining.ip6, limit: 2 * result.maxFlows },
    },
    slots: { used: slots.length, draining: slots.filter(({ idleSince }) => idleSince !== undefined).length },
    packets: lastCollection?.packets ?? [],
    totals: NO_TOTALS,
  };
}

function skippedOf({ desired, unresolved, plan }: SyncResult): SkippedFrontend[] {
  return [
    ...desired.skipped.flatMap(({ name, frontend, addresses, cause, reason }) =>
      addresses.map((address) => {
        return { name, destination: `${address} ${frontend.port}/${frontend.servicePort.protocol}`, cause, reason };
      }),
    ),
    ...unresolved.map(({ frontend, cause, reason }) => ({
      ...{ name: frontend.name, destination: destinationOf(frontend), cause, reason },
    })),
    ...desired.frontends.flatMap((frontend): SkippedFrontend[] => {
      const exceeded = plan.overflow.get(frontendId(frontend.key));
      if (exceeded === undefined) return [];
      return [
        {
          name: frontend.name,
          destination: destinationOf(frontend),
          cause: 'capacity',
          reason: `there are no more ${exceeded}`,
        },
      ];
    }),
  ];
}

function deviceNames({ links }: NetworkState): (ifindex: number) => string {
  const names = new Map([...links.values()].map(({ ifindex, name }) => [ifindex, name]));
  return (ifindex) => names.get(ifindex) ?? `device ${ifindex}`;
}

function frontendStatus(
  frontend: DesiredFrontends['frontends'][number],
  { maps, flows: counts }: SyncResult,
  nameOf: (ifindex: number) => string,
): FastPathFrontend[] {
  const value = maps.frontendOf(frontend.key);
  if (value === undefined) return [];
  const backends = value.slots.flatMap((slot) => maps.slots.get(slot)?.backend ?? []);
  const flows = [...new Set(value.slots)].reduce((sum, slot) => sum + (counts?.bySlot.get(slot) ?? 0), 0);
  return [
    {
      name: frontend.name,
      kind: frontend.kind,
      destination: destinationOf(frontend),
      backends: backends.map(({ ifindex, address, port, flags }) => {
        const way = (flags & BACKEND_NEIGH) === 0 ? '' : ' (through its queue or filter)';
        return `${nameOf(ifindex)} ${printAddressPort({ address, port })}${way}`;
      }),
      flows,
      ...(value.suspended ? { suspended: 'connections were not answered by way of the programs' } : {}),
    },
  ];
}

function destinationOf({ key: { address, port, protocol } }: DesiredFrontends['frontends'][number]): string {
  return `${address} ${port}/${protocol}`;
}
