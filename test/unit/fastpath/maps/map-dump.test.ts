// Tests of src/fastpath/maps/map-dump.ts and requests.ts: what requests write is read back from dumps.

import t from 'tap';
import type { BackendValue } from '../../../../src/fastpath/maps/entries.ts';
import { MapState } from '../../../../src/fastpath/maps/map-state.ts';
import {
  deleteFrontend,
  freeBackend,
  putBackend,
  putFrontend,
  putGeneration,
  SOURCE_VALUE,
  sourceEntry,
  uplinkEntry,
  uplinkValue,
} from '../../../../src/fastpath/maps/requests.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';

const BACKEND: BackendValue = {
  ...{ address: 'fd01::1', port: 80, protocol: 'udp', flags: 1, ifindex: 7, gen: 3, svc: 2, l3if: 8, mtu: 1500 },
  ...{ mac: new Uint8Array(6).fill(1), gatewayMac: new Uint8Array(6).fill(2) },
};
const KEY = { address: '192.0.2.1', port: 80, protocol: 'udp' } as const;

t.test('parseMapDump() reads what requests wrote', async (t) => {
  const maps = new FakeBpfMaps();
  const sources = ['10.0.0.0/8', 'fd00::/16'].flatMap((text) => parsePrefix(text) ?? []).map(sourceEntry);
  maps.apply(
    [
      ...[putBackend(5, BACKEND), 'put ports 01040000 0000010000000000', 'put ports 01000000 0000010000000000'],
      putFrontend(KEY, { svc: 2, suspended: true, slots: [5] }),
      putGeneration(3),
      ...sources.map((entry) => `put ${entry} ${SOURCE_VALUE}`),
      `put ${uplinkEntry(2)} ${uplinkValue(1400)}`,
    ],
    0,
  );
  t.strictSame(maps.violations, []);
  const installed = maps.installed();
  t.strictSame(installed.backends.get(5), BACKEND);
  t.match(installed.backends.get(0), { gen: 0, svc: 3 }, 'the highest generation');
  t.strictSame(installed.frontends, [{ key: KEY, value: { svc: 2, suspended: true, slots: [5] } }]);
  t.strictSame(installed.ports.get(1), 1n << 16n);
  t.strictSame(installed.sources, sources);
  t.strictSame([...installed.uplinks], [[2, 1400]]);
  t.equal(new MapState(installed, 0).slots.generation, 3);

  maps.apply([deleteFrontend(KEY), freeBackend(5, BACKEND)], 0);
  t.strictSame(maps.installed().frontends, []);
  t.equal(maps.installed().backends.get(5)?.gen, 0);
});

t.test('parseMapDump() returns empty collections for empty maps', async (t) => {
  const { backends, frontends, ports, sources, uplinks } = new FakeBpfMaps().installed();
  t.strictSame([backends.size, frontends.length, ports.size, sources.length, uplinks.size], [0, 0, 0, 0, 0]);
});
