// The fast path for people: what is on, where, and why not.
import { table } from '../../lib/table.ts';

export interface FastPathFrontend {
  readonly name: string;
  readonly kind: string;
  /** `address port/protocol`. */
  readonly dialled: string;
  /** `device address:port`, each as often as its weight says. */
  readonly backends: readonly string[];
  /** Flows of its backends, which frontends of one Service port share. */
  readonly flows: number;
  /** New flows are nft's for now, and why. */
  readonly passes?: string;
}

/** Why a frontend with the Local policy is left to nft, for counting. */
export const LEFT_CAUSES = [
  'affinity',
  'balance',
  'kernel',
  'node',
  'pod',
  'protocol',
  'room',
  'shares',
  'source_ranges',
  'terminating',
  'uplink',
] as const;

export type LeftCause = (typeof LEFT_CAUSES)[number];

export interface LeftFrontend {
  readonly name: string;
  /** `address port/protocol`. */
  readonly dialled: string;
  readonly cause: LeftCause;
  /** For people. */
  readonly reason: string;
}

/** Packets that had the same fate for the same reason. */
export interface PacketCount {
  readonly reason: string;
  /** By the fast path; handed on as they came; or counted besides, for what happened with them. */
  readonly fate: 'taken' | 'passed' | 'noted';
  readonly count: number;
  /** The reason for people. */
  readonly words: string;
}

/** Since the daemon began. */
export interface FastPathTotals {
  /** Runs through the tables of flows, and entries that were looked at and deleted there. */
  readonly collections: number;
  readonly scanned: number;
  readonly deleted: number;
  /** Service ports that were handed back to nft because connections were not answered. */
  readonly handBacks: number;
  /** Passes of work that failed. */
  readonly failures: number;
  readonly loaderRestarts: number;
}

export interface FastPathView {
  readonly mode: 'off' | 'auto' | 'required';
  /** `on` while programs that are attached take new flows. */
  readonly state: 'on' | 'off';
  /** Why it is off. */
  readonly reason?: string;
  /** It cannot be kept in step with Services and devices: why, since when (ISO 8601), and how many tries ago. */
  readonly failing?: { readonly reason: string; readonly since: string; readonly tries: number };
  /** `tcx` or `clsact`. */
  readonly attach?: string;
  /** The kernel can be asked for conntrack entries, which UDP needs. */
  readonly udp?: boolean;
  readonly uplinks: readonly { readonly name: string; readonly reason?: string }[];
  /** Names of pods' devices with the program that takes answers. */
  readonly pods: readonly string[];
  readonly frontends: readonly FastPathFrontend[];
  readonly left: readonly LeftFrontend[];
  /** Blocks of addresses whose packets nft has to see. */
  readonly sources: readonly string[];
  readonly flows: { readonly ip: number; readonly ip6: number };
  /** Of each table of flows: its entries, two for each flow, and how many there is room for. */
  readonly flowTables: Readonly<Record<'ip' | 'ip6', { readonly entries: number; readonly room: number }>>;
  /** Slots in use, and those of them that only live flows use. */
  readonly slots: { readonly used: number; readonly draining: number };
  readonly packets: readonly PacketCount[];
  readonly totals: FastPathTotals;
}

/** As text, without a newline at its end. */
export function printFastPath(view: FastPathView): string {
  const head = [...heading(view), ...failure(view), ...uplinks(view)];
  if (view.state === 'off' && view.slots.used === 0) return head.join('\n');
  const { slots, pods, frontends, left } = view;
  const nothing = frontends.length + left.length === 0;
  return [
    ...head,
    `devices of pods: ${pods.join(', ') || 'none'}`,
    `flows: ${flows(view, 'ip')} in IPv4, ${flows(view, 'ip6')} in IPv6`,
    `backends: ${slots.used} in use, ${slots.draining} of them only by connections that live`,
    `clients that are nft's: ${clients(view)}`,
    ...events(view),
    ...(nothing ? ['', 'no Service with the Local policy has an endpoint on this node'] : []),
    ...section('by the fast path', ['SERVICE', 'KIND', 'DIALLED', 'FLOWS', 'BACKENDS'], frontendRows(view)),
    ...section(
      'left to nft',
      ['SERVICE', 'DIALLED', 'WHY'],
      byName(left).map((one) => [one.name, one.dialled, one.reason]),
    ),
    ...packets(view, 'taken', 'packets by the fast path'),
    ...packets(view, 'passed', 'packets handed on to nft and the stack, as they came'),
    ...packets(view, 'noted', 'besides'),
  ].join('\n');
}

function heading({ mode, state, reason, attach, udp }: FastPathView): string[] {
  const how = attach === undefined ? '' : `, by ${attach}, ${udp ? 'TCP and UDP' : 'TCP only'}`;
  return [`fast path: ${state} (mode ${mode})${how}${reason === undefined ? '' : `: ${reason}`}`];
}

function failure({ failing }: FastPathView): string[] {
  if (failing === undefined) return [];
  const { reason, since, tries } = failing;
  return [
    `!!! it cannot be kept in step since ${since}, ${tries} tries: ${reason}`,
    '!!! What is attached goes on with what it knew then; the following is of that time, too.',
  ];
}

function uplinks(view: FastPathView): string[] {
  const names = view.uplinks.map(({ name, reason }) => (reason === undefined ? name : `not ${name} (${reason})`));
  return names.length === 0 ? [] : [`uplinks: ${names.join(', ')}`];
}

/** One flow has two entries. */
function flows({ flows, flowTables }: FastPathView, family: 'ip' | 'ip6'): string {
  const { entries, room } = flowTables[family];
  return room === 0 ? '0' : `${flows[family]} of ${room / 2} (${((100 * entries) / room).toFixed(1)} %)`;
}

function clients({ sources }: FastPathView): string {
  const blocks = sources.filter((text) => !/\.\d+\/32$|:[^.]*\/128$/.test(text));
  return [...blocks, 'the addresses of this node'].join(', ');
}

/** What is worth a look when it has happened. */
function events({ totals: { handBacks, failures, loaderRestarts } }: FastPathView): string[] {
  const counted = [
    [handBacks, 'Service ports handed back to nft, for connections were not answered'],
    [failures, 'passes of work that failed'],
    [loaderRestarts, 'starts of the loader after it had ended'],
  ] as const;
  const happened = counted.flatMap(([count, what]) => (count === 0 ? [] : `${count} ${what}`));
  return happened.length === 0 ? [] : [`since the daemon began: ${happened.join(', ')}`];
}

function frontendRows({ frontends }: FastPathView): (string | number)[][] {
  return byName(frontends).map(({ name, kind, dialled, flows, backends, passes }) => [
    ...[name, kind, dialled, flows],
    backends.join(', ') + (passes === undefined ? '' : ` (new flows are nft's: ${passes})`),
  ]);
}

function byName<T extends { readonly name: string; readonly dialled: string }>(rows: readonly T[]): T[] {
  const nameOf = ({ name, dialled }: T) => `${name} ${dialled}`;
  return rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function packets(view: FastPathView, wanted: PacketCount['fate'], title: string): string[] {
  const counted = view.packets.filter(({ fate, count }) => fate === wanted && count > 0);
  return section(
    title,
    ['REASON', 'COUNT', 'MEANING'],
    counted.map(({ reason, count, words }) => [reason, count, words]),
  );
}

function section(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, table(head, rows)];
}
