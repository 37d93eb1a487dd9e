// The status of the fast path as text.

import { formatTable } from '../../lib/table.ts';
import type { PacketCount } from '../loader/loader-client.ts';
import type { FastPathStatus } from './fast-path-status.ts';

/** As text, without a newline at its end. */
export function printFastPathStatus(view: FastPathStatus): string {
  const head = [...heading(view), ...failingLines(view), ...uplinkLines(view)];
  if (view.state === 'off' && view.slots.used === 0) return head.join('\n');
  const { slots, podDevices, frontends, skipped } = view;
  const nothing = frontends.length + skipped.length === 0;
  return [
    ...head,
    `devices of pods: ${podDevices.join(', ') || 'none'}`,
    `flows: ${flowUsage(view, 'ip')} in IPv4, ${flowUsage(view, 'ip6')} in IPv6`,
    `backends: ${slots.used} in use, ${slots.draining} of them only by connections that live`,
    `clients that are nft's: ${excludedClients(view)}`,
    ...problemCounts(view),
    ...(nothing ? ['', 'no Service with the Local policy has an endpoint on this node'] : []),
    ...section('by the fast path', ['SERVICE', 'KIND', 'DESTINATION', 'FLOWS', 'BACKENDS'], frontendRows(view)),
    ...section(
      'left to nft',
      ['SERVICE', 'DESTINATION', 'WHY'],
      byName(skipped).map((one) => [one.name, one.destination, one.reason]),
    ),
    ...packetSection(view, 'forwarded', 'packets by the fast path'),
    ...packetSection(view, 'passed', 'packets handed on to nft and the stack, as they came'),
    ...packetSection(view, 'event', 'besides'),
  ].join('\n');
}

function heading({ mode, state, reason, attach, udp }: FastPathStatus): string[] {
  const how = attach === undefined ? '' : `, by ${attach}, ${udp ? 'TCP and UDP' : 'TCP only'}`;
  return [`fast path: ${state} (mode ${mode})${how}${reason === undefined ? '' : `: ${reason}`}`];
}

function failingLines({ failing }: FastPathStatus): string[] {
  if (failing === undefined) return [];
  const { reason, since, attempts } = failing;
  return [
    `!!! it cannot be kept in step since ${since}, ${attempts} attempts: ${reason}`,
    '!!! What is attached goes on with what it knew then; the following is of that time, too.',
  ];
}

function uplinkLines(view: FastPathStatus): string[] {
  const names = view.uplinks.map(({ name, reason }) => (reason === undefined ? name : `not ${name} (${reason})`));
  return names.length === 0 ? [] : [`uplinks: ${names.join(', ')}`];
}

/** One flow has two entries. */
function flowUsage({ flows, flowTables }: FastPathStatus, family: 'ip' | 'ip6'): string {
  const { entries, limit } = flowTables[family];
  return limit === 0 ? '0' : `${flows[family]} of ${limit / 2} (${((100 * entries) / limit).toFixed(1)} %)`;
}

function excludedClients({ excludedSources }: FastPathStatus): string {
  const blocks = excludedSources.filter((text) => !/\.\d+\/32$|:[^.]*\/128$/.test(text));
  return [...blocks, 'the addresses of this node'].join(', ');
}

/** What is worth a look when it has happened. */
function problemCounts({ totals: { fallbacks, failures, loaderRestarts } }: FastPathStatus): string[] {
  const counted = [
    [fallbacks, 'Service ports handed back to nft, for connections were not answered'],
    [failures, 'passes of work that failed'],
    [loaderRestarts, 'starts of the loader after it had ended'],
  ] as const;
  const nonZero = counted.flatMap(([count, what]) => (count === 0 ? [] : `${count} ${what}`));
  return nonZero.length === 0 ? [] : [`since the daemon began: ${nonZero.join(', ')}`];
}

function frontendRows({ frontends }: FastPathStatus): (string | number)[][] {
  return byName(frontends).map(({ name, kind, destination, flows, backends, suspended }) => [
    ...[name, kind, destination, flows],
    backends.join(', ') + (suspended === undefined ? '' : ` (new flows are nft's: ${suspended})`),
  ]);
}

function byName<T extends { readonly name: string; readonly destination: string }>(rows: readonly T[]): T[] {
  const sortKey = ({ name, destination }: T) => `${name} ${destination}`;
  return rows.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function packetSection(view: FastPathStatus, outcome: PacketCount['outcome'], title: string): string[] {
  const counted = view.packets.filter((packets) => packets.outcome === outcome && packets.count > 0);
  return section(
    title,
    ['REASON', 'COUNT', 'MEANING'],
    counted.map(({ reason, count, description }) => [reason, count, description]),
  );
}

function section(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, formatTable(head, rows)];
}
