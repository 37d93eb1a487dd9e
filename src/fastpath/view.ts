// What the fast path tells of itself.
import type { FastPathFrontend, FastPathView } from '../inspect/fast-path-view.ts';
import type { Wanted } from './demand-book.ts';
import type { Network } from './network.ts';
import type { Unplaced } from './place.ts';
import type { Collected, Probe } from './programs.ts';
import type { Uplink } from './surroundings.ts';
import { type FlowCounts, frontendId, type Plan, type Tables } from './tables.ts';

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
}

/** The view of a fast path that does nothing. */
export function emptyView(mode: FastPathView['mode'], reason: string): FastPathView {
  const nothing = { uplinks: [], pods: [], frontends: [], left: [], reasons: {} };
  return { mode, state: 'off', reason, ...nothing, flows: { ip: 0, ip6: 0 }, slots: { used: 0, draining: 0 } };
}

export function viewOf(
  seen: Seen & {
    readonly network: Network;
    readonly counts: FlowCounts | undefined;
    /** For flows of each family. */
    readonly room: number;
    readonly attached: ReadonlySet<string>;
  },
  last: { readonly collected: Collected; readonly reasons: Readonly<Record<string, number>> } | undefined,
): FastPathView {
  const { mode, off, probe, wanted, plan, tables, network, attached } = seen;
  const names = new Map([...network.links.values()].map(({ ifindex, name }) => [ifindex, name]));
  const nameOf = (ifindex: number): string => names.get(ifindex) ?? `device ${ifindex}`;
  const slots = [...tables.slots.used];
  return {
    mode,
    state: off === undefined ? 'on' : 'off',
    ...(off === undefined ? {} : { reason: off }),
    ...(probe === undefined ? {} : { attach: probe.attach, udp: probe.udp }),
    uplinks: seen.uplinks.map(({ name, reason }) => (reason === undefined ? { name } : { name, reason })),
    pods: [...attached].flatMap((key) => (key.startsWith('pod ') ? [nameOf(Number(key.slice(4)))] : [])).sort(),
    frontends: wanted.frontends.flatMap((frontend) => rowOf(frontend, seen, nameOf)),
    left: [
      ...wanted.left.map(({ name, frontend, reason }) => ({
        name,
        dialled: `${frontend.address ?? 'node'} ${frontend.port}/${frontend.servicePort.protocol}`,
        reason,
      })),
      ...seen.unplaced.map(({ frontend, reason }) => ({ name: frontend.name, dialled: dialled(frontend), reason })),
      ...wanted.frontends.flatMap((frontend) => {
        const over = plan.overflow.get(frontendId(frontend.key));
        return over === undefined
          ? []
          : [{ name: frontend.name, dialled: dialled(frontend), reason: `there are no more ${over}` }];
      }),
    ],
    flows: last?.collected.left ?? { ip: 0, ip6: 0 },
    room: seen.room,
    slots: { used: slots.length, draining: slots.filter(({ idleSince }) => idleSince !== undefined).length },
    reasons: last?.reasons ?? {},
  };
}

function rowOf(
  frontend: Wanted['frontends'][number],
  { tables, counts }: Seen & { readonly counts: FlowCounts | undefined },
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
      backends: backends.map(({ ifindex, address, port }) => `${nameOf(ifindex)} ${withPort(address, port)}`),
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
