// Tests of src/metrics/nftlane/connection-counts.ts.

import t from 'tap';
import { ConnectionCounts } from '../../../../src/metrics/nftlane/connection-counts.ts';
import type { CounterListing } from '../../../../src/nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../../../../src/nftables/syntax/listing.ts';
import type { RefKey } from '../../../../src/nftables/syntax/object-ref.ts';

const KEY = '172.30.0.10 . tcp . 80';

function element(key: string, data: string, packets: number, comment = 'shop/web:http'): ListedElement {
  return { key, data, packets, comment };
}

/** A frontend with its verdict and its slots, as the kernel lists them. */
function listing(verdict: number, ...slots: readonly (readonly [string, number])[]): CounterListing {
  return new Map<RefKey, ListedElement[]>([
    ['ip service-ips', [element(KEY, `goto cluster-${slots.length}`, verdict)]],
    ['ip endpoints', slots.map(([data, packets], index) => element(`${KEY} . ${index}`, data, packets))],
  ]);
}

const connections = (counts: ConnectionCounts) =>
  counts.ports(10).map(({ name, connections }) => `${name} ${connections}`);
const endpoints = (counts: ConnectionCounts) =>
  counts.endpoints(10).map(({ endpoint, connections }) => `${endpoint}: ${connections}`);

t.test('ConnectionCounts adds up the increases of counters', async (t) => {
  const counts = new ConnectionCounts();
  counts.add(listing(3, ['10.1.0.1 . 8080', 2], ['10.1.0.2 . 8080', 1]));
  counts.add(listing(5, ['10.1.0.1 . 8080', 2], ['10.1.0.2 . 8080', 3]));
  t.strictSame(connections(counts), ['shop/web:http 5']);
  t.strictSame(endpoints(counts), ['10.1.0.2 . 8080: 3', '10.1.0.1 . 8080: 2']);
});

t.test('ConnectionCounts never decreases when elements are replaced', async (t) => {
  const counts = new ConnectionCounts();
  counts.add(listing(30, ['10.1.0.1 . 8080', 20], ['10.1.0.2 . 8080', 10]));
  // With another endpoint, the verdict is a new element; the slots are the same.
  counts.add(listing(1, ['10.1.0.1 . 8080', 21], ['10.1.0.2 . 8080', 12], ['10.1.0.3 . 8080', 1]));
  t.strictSame(connections(counts), ['shop/web:http 34'], 'the slots counted more than the new verdict');
  // The same endpoint in another slot.
  counts.add(listing(3, ['10.1.0.3 . 8080', 2]));
  t.strictSame(connections(counts), ['shop/web:http 37']);
  t.strictSame(endpoints(counts), ['10.1.0.3 . 8080: 3'], 'removed endpoints are dropped');
});

t.test('ConnectionCounts counts clients with session affinity, which only the verdict counts', async (t) => {
  const counts = new ConnectionCounts();
  counts.add(listing(7, ['10.1.0.1 . 8080', 2]));
  t.strictSame(connections(counts), ['shop/web:http 7']);
});

t.test('ConnectionCounts separates rejected connections, families and frontends', async (t) => {
  const counts = new ConnectionCounts();
  counts.add(
    new Map<RefKey, ListedElement[]>([
      ['ip service-ips', [element(KEY, 'goto cluster-1', 4), element('192.0.2.1 . tcp . 80', 'goto external-1', 2)]],
      ['ip6 service-nodeports', [element('tcp . 30080', 'goto nodeport-1', 1)]],
      ['ip no-endpoint-services', [element('172.30.0.11 . tcp . 80', 'goto reject-chain', 9, 'shop/empty')]],
      ['ip cluster-ips', [element('172.30.0.10', '', 1000)]],
    ]),
  );
  t.strictSame(counts.ports(10), [
    { name: 'shop/empty', label: 'IPv4', connections: 0, rejected: 9 },
    { name: 'shop/web:http', label: 'IPv4', connections: 6, rejected: 0 },
    { name: 'shop/web:http', label: 'IPv6', connections: 1, rejected: 0 },
  ]);
  t.equal(counts.ports(1).length, 1, 'the limit applies');
  counts.add(new Map());
  t.strictSame(counts.ports(10), [], 'removed Services are dropped');
});
