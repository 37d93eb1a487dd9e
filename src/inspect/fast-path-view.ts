// The fast path for people: what is on, where, and why not.
import { table } from './table.ts';

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

export interface FastPathView {
  readonly mode: 'off' | 'auto' | 'required';
  readonly state: 'on' | 'off';
  /** Why it is off. */
  readonly reason?: string;
  /** `tcx` or `clsact`. */
  readonly attach?: string;
  /** The kernel can be asked for conntrack entries, which UDP needs. */
  readonly udp?: boolean;
  readonly uplinks: readonly { readonly name: string; readonly reason?: string }[];
  /** Names of pods' devices with the program that takes answers. */
  readonly pods: readonly string[];
  readonly frontends: readonly FastPathFrontend[];
  readonly left: readonly { readonly name: string; readonly dialled: string; readonly reason: string }[];
  readonly flows: { readonly ip: number; readonly ip6: number };
  /** How many flows of each family it can lead at a time. */
  readonly room?: number;
  /** Slots in use, and those of them that only live flows use. */
  readonly slots: { readonly used: number; readonly draining: number };
  /** Packets by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** As text, without a newline at its end. */
export function printFastPath(view: FastPathView): string {
  const { mode, state, reason, attach, udp } = view;
  const how = attach === undefined ? '' : `, by ${attach}, ${udp ? 'TCP and UDP' : 'TCP only'}`;
  const head = [`fast path: ${state} (mode ${mode})${how}${reason === undefined ? '' : `: ${reason}`}`];
  if (state === 'off' && view.slots.used === 0) return head.join('\n');
  const uplinks = view.uplinks.map(({ name, reason }) => (reason === undefined ? name : `${name} not: ${reason}`));
  const { flows, room, slots } = view;
  return [
    ...head,
    `uplinks: ${uplinks.join(', ') || 'none'}`,
    `pods: ${view.pods.join(', ') || 'none'}`,
    `flows: ${flows.ip} of IPv4, ${flows.ip6} of IPv6${room === undefined ? '' : `, room for ${room} of each`}`,
    `slots: ${slots.used}, ${slots.draining} of them only for flows that live`,
    ...section('frontends', ['SERVICE', 'KIND', 'DIALLED', 'FLOWS', 'BACKENDS'], frontendRows(view)),
    ...section(
      'left to nft',
      ['SERVICE', 'DIALLED', 'WHY'],
      view.left.map((one) => [one.name, one.dialled, one.reason]),
    ),
    ...section(
      'packets',
      ['REASON', 'COUNT'],
      Object.entries(view.reasons).filter(([, count]) => count > 0),
    ),
  ].join('\n');
}

function frontendRows({ frontends }: FastPathView): (string | number)[][] {
  return frontends.map(({ name, kind, dialled, flows, backends, passes }) => [
    ...[name, kind, dialled, flows],
    backends.join(', ') + (passes === undefined ? '' : ` (new flows are nft's: ${passes})`),
  ]);
}

function section(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, table(head, rows)];
}
