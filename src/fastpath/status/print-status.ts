// Prints the status of the fast path as text.

import { formatTable } from '../../lib/table.ts';
import type { PacketCount } from '../loader/loader-client.ts';
import type { FastPathStatus } from './fast-path-status.ts';

/** Without a newline at the end. */
export function printFastPathStatus(status: FastPathStatus): string {
  const head = [...heading(status), ...failingLines(status), ...uplinkLines(status)];
  if (status.state === 'off' && status.slots.used === 0) return head.join('\n');
  const { slots, podDevices, frontends, skipped } = status;
  const nothing = frontends.length + skipped.length === 0;
  return [
    ...head,
    `pod devices: ${podDevices.join(', ') || 'none'}`,
    `flows: IPv4 ${flowUsage(status, 'ip')}, IPv6 ${flowUsage(status, 'ip6')}`,
    `backend slots: ${slots.used} used, ${slots.draining} of them draining`,
    `excluded clients: ${excludedClients(status)}`,
    ...problemCounts(status),
    ...(nothing ? ['', 'no Service with externalTrafficPolicy Local has an endpoint on this node'] : []),
    ...section('served by the fast path', {
      columns: ['SERVICE', 'KIND', 'DESTINATION', 'FLOWS', 'BACKENDS'],
      rows: frontendRows(status),
    }),
    ...section('served by nftables', {
      columns: ['SERVICE', 'DESTINATION', 'REASON'],
      rows: byName(skipped).map(({ name, destination, reason }) => [name, destination, reason]),
    }),
    ...packetSection(status, 'forwarded', 'packets forwarded by the fast path'),
    ...packetSection(status, 'passed', 'packets passed unmodified to the network stack'),
    ...packetSection(status, 'event', 'events'),
  ].join('\n');
}

function heading({ mode, state, reason, attach, udp }: FastPathStatus): string[] {
  const attachment = attach === undefined ? '' : `, attached by ${attach}, ${udp ? 'TCP and UDP' : 'TCP only'}`;
  return [`fast path: ${state} (mode ${mode})${attachment}${reason === undefined ? '' : `: ${reason}`}`];
}

function failingLines({ failing }: FastPathStatus): string[] {
  if (failing === undefined) return [];
  const { reason, since, attempts } = failing;
  return [
    `warning: out of sync since ${since}, ${attempts} attempts: ${reason}`,
    '  attached programs keep running with the state of that time, which is shown below',
  ];
}

function uplinkLines(status: FastPathStatus): string[] {
  const names = status.uplinks.map(({ name, reason }) => (reason === undefined ? name : `not ${name} (${reason})`));
  return names.length === 0 ? [] : [`uplinks: ${names.join(', ')}`];
}

/** A flow has two entries. */
function flowUsage({ flows, flowTables }: FastPathStatus, family: 'ip' | 'ip6'): string {
  const { entries, limit } = flowTables[family];
  return limit === 0 ? '0' : `${flows[family]} of ${limit / 2} (${((100 * entries) / limit).toFixed(1)} %)`;
}

function excludedClients({ excludedSources }: FastPathStatus): string {
  const blocks = excludedSources.filter((text) => !/\.\d+\/32$|:[^.]*\/128$/.test(text));
  return [...blocks, 'addresses of this node'].join(', ');
}

/** Counts that indicate problems, if they are not 0. */
function problemCounts({ totals: { fallbacks, failures, loaderRestarts } }: FastPathStatus): string[] {
  const counted = [
    [fallbacks, 'suspensions of Service ports without replies'],
    [failures, 'failed syncs'],
    [loaderRestarts, 'loader restarts'],
  ] as const;
  const nonZero = counted.flatMap(([count, label]) => (count === 0 ? [] : `${count} ${label}`));
  return nonZero.length === 0 ? [] : [`since the daemon started: ${nonZero.join(', ')}`];
}

function frontendRows({ frontends }: FastPathStatus): (string | number)[][] {
  return byName(frontends).map(({ name, kind, destination, flows, backends, suspended }) => [
    ...[name, kind, destination, flows],
    backends.join(', ') + (suspended === undefined ? '' : ` (new flows go to nftables: ${suspended})`),
  ]);
}

function byName<T extends { readonly name: string; readonly destination: string }>(rows: readonly T[]): T[] {
  const sortKey = ({ name, destination }: T) => `${name} ${destination}`;
  return rows.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function packetSection(status: FastPathStatus, outcome: PacketCount['outcome'], title: string): string[] {
  const counted = status.packets.filter((packets) => packets.outcome === outcome && packets.count > 0);
  return section(title, {
    columns: ['REASON', 'COUNT', 'MEANING'],
    rows: counted.map(({ reason, count, description }) => [reason, count, description]),
  });
}

function section(
  title: string,
  { columns, rows }: { columns: readonly string[]; rows: readonly (readonly (string | number)[])[] },
): string[] {
  return rows.length === 0 ? [] : ['', `${title}:`, formatTable(columns, rows)];
}
