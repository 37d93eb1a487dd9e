// What the fast path tells of itself.

import type { Wanted } from './eligibility/demand-book.ts';
import type { Unplaced } from './eligibility/place.ts';
import type { LastCounts } from './flows/collector.ts';
import type { Probe } from './loader/programs.ts';
import { BACKEND_NEIGH } from './maps/layout.ts';
import { type FlowCounts, frontendId, type Plan, type Tables } from './maps/tables.ts';
import type { Network } from './node/network.ts';
import type { Uplink } from './node/surroundings.ts';
import type { FastPathFrontend, FastPathTotals, FastPathView, LeftFrontend } from './status/status.ts';

/** What one pass of work has seen. */
export interface Seen {
  readonly mode: FastPathView['mode'];
  /** Why nothing is taken. */
  readonly off: string | undefined;
  readonly probe: Probe | undefined;
  readonly uplinks: readonly Uplink[];
  readonly wanted: Wanted;
  readonly unplaced: readonly Unplaced[];
  readonly plan: Plan;
  readonly tables: Tables;
  readonly network: Network;
  /** Blocks of addresses whose packets nft has to see. */
  readonly sources: readonly string[];
  readonly flows: FlowCounts | undefined;
  /** For flows of each family. */
  readonly room: number;
  /** What is attached, as `role number`. */
  readonly attached: ReadonlySet<string>;
}

const NO_TOTALS: FastPathTotals = {
  ...{ collections: 0, scanned: 0, deleted: 0, handBacks: 0, failures: 0, loaderRestarts: 0 },
};

/** The view of a fast path that does nothing. */
export function emptyView(mode: FastPathView['mode'], reason: string): FastPathView {
  const nothing = { uplinks: [], pods: [], frontends: [], left: [], sources: [], packets: [] };
  const none = { entries: 0, room: 0 };
  const tables = { flows: { ip: 0, ip6: 0 }, flowTables: { ip: none, ip6: none }, slots: { used: 0, draining: 0 } };
  return { mode, state: 'off', reason, ...nothing, ...tables, totals: NO_TOTALS };
}

/** What was last seen, of a fast path that cannot be kept in step; `off` says why nothing is taken, if that is so. */
export function failingView(
  before: FastPathView,
  failing: NonNullable<FastPathView['failing']>,
  off: string | undefined,
): FastPathView {
  const { reason: _, ...rest } = before;
  return { ...rest, state: off === undefined ? 'on' : 'off', ...(off === undefined ? {} : { reason: off }), failing };
}

/** What a pass of work that succeeded leaves to be seen; totals are for others to fill in. */
export function viewOf(seen: Seen, last: LastCounts | undefined): FastPathView {
  const { mode, off, probe, wanted, tables, attached } = seen;
  const nameOf = namesIn(seen.network);
  const slots = [...tables.slots.used];
  const { left = { ip: 0, ip6: 0 } } = last?.collected ?? {};
  return {
    mode,
    state: off === undefined ? 'on' : 'off',
    ...(off === undefined ? {} : { reason: off }),
    ...(probe === undefined ? {} : { attach: probe.attach, udp: probe.udp }),
    uplinks: seen.uplinks.map(({ name, reason }) => (reason === undefined ? { name } : { name, reason })),
    pods: [...attached].flatMap((key) => (key.startsWith('pod ') ? [nameOf(Number(key.slice(4)))] : [])).sort(),
    frontends: wanted.frontends.flatMap((frontend) => rowOf(frontend, seen, nameOf)),
    left: leftOf(seen),
    sources: seen.sources,
    flows: { ip: left.ip / 2, ip6: left.ip6 / 2 },
    flowTables: { ip: { entries: left.ip, room: 2 * seen.room }, ip6: { entries: left.ip6, room: 2 * seen.room } },
    slots: { used: slots.length, draining: slots.filter(({ idleSince }) => idleSince !== undefined).length },
    packets: last?.packets ?? [],
    totals: NO_TOTALS,
  };
}

function leftOf({ wanted, unplaced, plan }: Seen): LeftFrontend[] {
  return [
    ...wanted.left.flatMap(({ name, frontend, addresses, cause, reason }) =>
      addresses.map((address) => {
        return { name, dialled: `${address} ${frontend.port}/${frontend.servicePort.protocol}`, cause, reason };
      }),
    ),
    ...unplaced.map(({ frontend, cause, reason }) => ({
      ...{ name: frontend.name, dialled: dialled(frontend), cause, reason },
    })),
    ...wanted.frontends.flatMap((frontend): LeftFrontend[] => {
      const over = plan.overflow.get(frontendId(frontend.key));
      if (over === undefined) return [];
      return [{ name: frontend.name, dialled: dialled(frontend), cause: 'room', reason: `there are no more ${over}` }];
    }),
  ];
}

function namesIn({ links }: Network): (ifindex: number) => string {
  const names = new Map([...links.values()].map(({ ifindex, name }) => [ifindex, name]));
  return (ifindex) => names.get(ifindex) ?? `device ${ifindex}`;
}

function rowOf(
  frontend: Wanted['frontends'][number],
  { tables, flows: counts }: Seen,
  nameOf: (ifindex: number) => string,
): FastPathFrontend[] {
  const value = tables.frontendOf(frontend.key);
  if (value === undefined) return [];
  const backends = value.slots.flatMap((slot) => tables.slots.get(slot)?.backend ?? []);
  const flows = [...new Set(value.slots)].reduce((sum, slot) => sum + (counts?.bySlot.get(slot) ?? 0), 0);
  return [
    {
      name: frontend.name,
      kind: frontend.kind,
      dialled: dialled(frontend),
      backends: backends.map(({ ifindex, address, port, flags }) => {
        const way = (flags & BACKEND_NEIGH) === 0 ? '' : ' (through its queue or filter)';
        return `${nameOf(ifindex)} ${withPort(address, port)}${way}`;
      }),
      flows,
      ...(value.pass ? { passes: 'connections were not answered by way of the programs' } : {}),
    },
  ];
}

function dialled({ key: { address, port, protocol } }: Wanted['frontends'][number]): string {
  return `${address} ${port}/${protocol}`;
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
