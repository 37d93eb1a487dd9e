// New connections of the busiest Service ports and endpoints.

import type { Registry } from 'prom-client';
import { printAddressPort } from '../../net/address-port.ts';
import type { EndpointCount, PortCount } from './connection-counts.ts';
import type { ConnectionReader } from './connection-reader.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

const PORT_LABELS = ['namespace', 'service', 'port', 'ip_family'] as const;

/** Registers the metrics, with at most `limit` series each. */
export function registerConnectionMetrics(registry: Registry, reader: ConnectionReader, limit: number): void {
  const byPort = (name: string, help: string, value: (port: PortCount) => number) =>
    counterOnScrape(registry, {
      name,
      help,
      labelNames: PORT_LABELS,
      samples: () => reader.counts.ports(limit).map((port) => ({ labels: labelsOf(port), value: value(port) })),
    });
  byPort(
    'nftlane_service_connections_total',
    'Total number of new connections forwarded to an endpoint of the Service port',
    ({ connections }) => connections,
  );
  byPort(
    'nftlane_service_rejected_connections_total',
    'Total number of new connections rejected because the Service port had no endpoint',
    ({ rejected }) => rejected,
  );
  counterOnScrape(registry, {
    name: 'nftlane_endpoint_connections_total',
    help: 'Total number of new connections forwarded to the endpoint',
    labelNames: [...PORT_LABELS, 'endpoint'],
    samples: () =>
      reader.counts.endpoints(limit).map((count) => ({
        labels: { ...labelsOf(count), endpoint: printEndpoint(count) },
        value: count.connections,
      })),
  });
  registerReadMetrics(registry, reader);
}

function registerReadMetrics(registry: Registry, reader: ConnectionReader): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_connections_read_timestamp_seconds',
    help: 'Unix timestamp of the last read of the connection counters',
    labelNames: [],
    samples: () => single(reader.lastRead && reader.lastRead.at / 1000),
  });
  gaugeOnScrape(registry, {
    name: 'nftlane_connections_read_duration_seconds',
    help: 'Duration of the last read of the connection counters in seconds',
    labelNames: [],
    samples: () => single(reader.lastRead && reader.lastRead.durationMs / 1000),
  });
}

function labelsOf({ name, label }: Pick<PortCount, 'name' | 'label'>) {
  const [, namespace = '', service = '', port = ''] = /^([^/]*)\/([^:]*):?(.*)$/.exec(name) ?? [];
  return { namespace, service, port, ip_family: label };
}

function printEndpoint({ endpoint }: EndpointCount): string {
  const [address = '', port = ''] = endpoint.split(' . ');
  return printAddressPort({ address, port: Number(port) });
}
