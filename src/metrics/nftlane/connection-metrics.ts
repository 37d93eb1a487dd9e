// New connections by Service port and by endpoint, of the busiest of them.

import { Counter, Gauge, type Registry } from 'prom-client';
import { printAddressPort } from '../../net/address-port.ts';
import type { EndpointCount, PortCount } from './connection-counts.ts';
import type { ConnectionReader } from './connection-reader.ts';

const PORT_LABELS = ['namespace', 'service', 'port', 'ip_family'] as const;

/** Registers them. At most `limit` series each; nothing is read, and there are none, when it is 0. */
export function registerConnectionMetrics(registry: Registry, reader: ConnectionReader, limit: number): void {
  const registers = [registry];
  const ofPort = (name: string, help: string, value: (port: PortCount) => number) =>
    new Counter({
      name,
      help,
      labelNames: PORT_LABELS,
      registers,
      collect() {
        this.reset();
        for (const port of reader.counts.ports(limit)) this.inc(labelsOf(port), value(port));
      },
    });
  ofPort(
    'nftlane_service_connections_total',
    'New connections that were led to an endpoint of the Service port',
    ({ connections }) => connections,
  );
  ofPort(
    'nftlane_service_rejected_connections_total',
    'New connections that were turned away, for the Service port had no endpoint',
    ({ rejected }) => rejected,
  );
  new Counter({
    name: 'nftlane_endpoint_connections_total',
    help: 'New connections that were led to the endpoint',
    labelNames: [...PORT_LABELS, 'endpoint'] as const,
    registers,
    collect() {
      this.reset();
      for (const count of reader.counts.endpoints(limit)) {
        this.inc({ ...labelsOf(count), endpoint: printEndpoint(count) }, count.connections);
      }
    },
  });
  const gauge = (name: string, help: string, value: (last: { at: number; ms: number }) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (reader.lastRead === undefined) this.remove();
        else this.set(value(reader.lastRead));
      },
    });
  gauge(
    'nftlane_connections_read_timestamp_seconds',
    'Unix time at which the counters of connections were last read',
    ({ at }) => at / 1000,
  );
  gauge(
    'nftlane_connections_read_duration_seconds',
    'How long it took to read the counters of connections',
    ({ ms }) => ms / 1000,
  );
}

function labelsOf({ name, label }: Pick<PortCount, 'name' | 'label'>) {
  const [, namespace = '', service = '', port = ''] = /^([^/]*)\/([^:]*):?(.*)$/.exec(name) ?? [];
  return { namespace, service, port, ip_family: label };
}

function printEndpoint({ endpoint }: EndpointCount): string {
  const [address = '', port = ''] = endpoint.split(' . ');
  return printAddressPort({ address, port: Number(port) });
}
