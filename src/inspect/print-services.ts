// Prints views of Services for a terminal.

import { joinLines, printableLine } from '../lib/printable.ts';
import { formatTable } from '../lib/table.ts';
import { printDetails } from './service-details.ts';
import type { EndpointView, PortView, ServiceView, SkippedServiceView } from './service-view.ts';

/** Prints the ports of each Service, with a table of frontends and one of endpoints, and then the Services that are not proxied. */
export function printServices(services: readonly ServiceView[], skipped: readonly SkippedServiceView[] = []): string {
  const notProxied = skipped.map(({ service, reason }) => printableLine(`${service}  not proxied: ${reason}`));
  return [...services.map(printService), ...(notProxied.length === 0 ? [] : [notProxied.join('\n')])].join('\n\n');
}

function printService({
  service,
  type,
  withoutClusterIp,
  assignedClusterIps = [],
  refused,
  limited,
  details,
  ports,
}: ServiceView): string {
  const head = `${service}  ${type}`;
  const assigned = assignedClusterIps.length === 0 ? [] : [`  assigned by nftlane: ${assignedClusterIps.join(', ')}`];
  const note = [...assigned, ...(withoutClusterIp === undefined ? [] : [`  ${withoutClusterIp}`])];
  const refusal = refused === undefined ? [] : [`  refused by the kernel: ${refused}`];
  const limit = limited === undefined ? [] : [`  ${limited}`];
  const none = ports.length === 0 && refused === undefined && limited === undefined ? ['  no usable ports'] : [];
  return [
    joinLines([head, ...note, ...refusal, ...limit, ...none, ...printDetails(details).map((line) => `  ${line}`)]),
    ...ports.map(printPort),
  ].join('\n');
}

function printPort({ name, family, protocol, port, topology, frontends, endpoints }: PortView): string {
  const topologyNote = topology === 'all' ? '' : `, only endpoints for the ${topology.replace('-', ' ')}`;
  const frontendRows = frontends.map((view) => [
    view.address,
    view.kind,
    view.policy,
    view.connections,
    view.destination,
  ]);
  const tables = [
    ...(frontends.length === 0
      ? []
      : [formatTable(['FRONTEND', 'KIND', 'POLICY', 'CONNECTIONS', 'DESTINATION'], frontendRows)]),
    ...(endpoints.length === 0 ? [] : [formatTable(ENDPOINT_HEADER, endpoints.flatMap(endpointRows))]),
  ];
  const label = name === '' ? '' : `${name} `;
  const head = printableLine(`  port ${label}${port}/${protocol} ${family}${topologyNote}`);
  return [head, ...tables.map((text) => indent(text))].join('\n');
}

/** The number of entries that are shown for an endpoint. */
const MAX_ENTRIES = 10;
const ENDPOINT_HEADER = ['ENDPOINT', 'NODE', 'SLOT', 'SHARE', 'CONNECTIONS', 'STATE'];

/** With a row below for each entry of an endpoint that has several. */
function endpointRows({
  endpoint,
  node,
  used,
  missing,
  reason,
  entries,
  slots,
  share,
  connections,
}: EndpointView): (string | number)[][] {
  const slot = slots.length === 0 ? '-' : slots.join(',');
  const state = used ? 'used' : missing ? 'missing in kernel' : 'unused';
  const percent = used ? `${(share * 100).toFixed(1)}%` : '-';
  const row = [endpoint, node || '-', slot, percent, connections, `${state}: ${reason}`];
  const shown = entries.slice(0, MAX_ENTRIES).map((entry) => ['', '', '', '', '', `  ${entry}`]);
  const more = entries.length - shown.length;
  return [row, ...shown, ...(more > 0 ? [['', '', '', '', '', `  and ${more} more entries`]] : [])];
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
