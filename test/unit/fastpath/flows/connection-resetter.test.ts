// Tests of what nft is told of connections whose pods have gone.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConnectionResetter } from '../../../../src/fastpath/flows/connection-resetter.ts';
import type { FlowEntry } from '../../../../src/fastpath/maps/entries.ts';
import { silentLog } from '../../../../src/host/log.ts';
import { RESET_CONNECTIONS_SIZE } from '../../../../src/nftables/compile/sets-and-maps.ts';

const FLOW: FlowEntry = {
  direction: 'original',
  protocol: 'tcp',
  client: { address: '198.51.100.7', port: 40_000 },
  other: { address: '192.0.2.1', port: 30_080 },
  translated: { address: '10.1.0.1', port: 8080, clientPort: 50_000 },
  ...{ slot: 1, gen: 1, oif: 2, nextHop: '192.0.2.254', mtu: 1500, lastTicks: 0, state: 'established' },
};

/** An nft that keeps what it is given, or says that it cannot. */
function begin(t: Test, { flows, complaint = '' }: { flows: readonly FlowEntry[]; complaint?: string }) {
  const directory = t.testdir({});
  const [nft, given] = [join(directory, 'nft'), join(directory, 'given')];
  const code = complaint === '' ? `cat >>"${given}"` : `cat >/dev/null; echo "${complaint}" >&2; exit 1`;
  writeFileSync(nft, `#!/bin/sh\n[ "$*" = "-f -" ] || exit 2\n${code}\n`, { mode: 0o755 });
  writeFileSync(given, '');
  const asked: (readonly number[])[] = [];
  const programs = {
    flowsThrough: async (devices: readonly number[]) => {
      asked.push(devices);
      return [...flows];
    },
  };
  const told: [string, string, unknown][] = [];
  const log = {
    ...silentLog,
    info: (message: string, details: unknown) => void told.push(['info', message, details]),
    warn: (message: string, details: unknown) => void told.push(['warn', message, details]),
  };
  const ended = new ConnectionResetter({ programs, nft, log });
  return { ended, asked, told, given: () => readFileSync(given, 'utf8') };
}

t.test('nft gets connections as their clients see them, both families in one transaction', async (t) => {
  const ip6 = { ...FLOW, client: { address: 'fd00:2::7', port: 1 }, other: { address: 'fd00:1::1', port: 2 } };
  const { ended, asked, told, given } = begin(t, { flows: [FLOW, { ...FLOW, state: 'closing' }, ip6] });
  await ended.resetThrough([7, 8]);
  t.strictSame(asked, [[7, 8]]);
  t.equal(
    given().replaceAll('\n', ' '),
    'add element ip nftlane reset-connections { 198.51.100.7 . 40000 . 192.0.2.1 . 30080, ' +
      '198.51.100.7 . 40000 . 192.0.2.1 . 30080, ' +
      '}; add element ip6 nftlane reset-connections { fd00:2::7 . 1 . fd00:1::1 . 2, } ',
  );
  t.strictSame(told, [['info', 'connections to pods that have gone are reset', { connections: 3 }]]);
});

t.test('what begins, is over, or is no connection is not told', async (t) => {
  const flows: FlowEntry[] = [
    { ...FLOW, state: 'new' },
    { ...FLOW, state: 'closed' },
    { ...FLOW, protocol: 'udp' },
  ];
  const { ended, told, given } = begin(t, { flows });
  await ended.resetThrough([7]);
  t.equal(given(), '');
  t.strictSame(told, []);
});

t.test('nft is not given more than it takes', async (t) => {
  const flows = Array.from({ length: RESET_CONNECTIONS_SIZE + 5 }, (_, i) => ({
    ...FLOW,
    client: { address: `198.51.100.${i >> 16}`, port: i & 65_535 },
  }));
  const { ended, given } = begin(t, { flows });
  await ended.resetThrough([7]);
  t.equal(given().match(/192\.0\.2\.1/g)?.length, RESET_CONNECTIONS_SIZE);
});

t.test('an nft that refuses is a warning, a loader that fails is an error', async (t) => {
  const { ended, told } = begin(t, { flows: [FLOW], complaint: 'Error: No such file or directory' });
  await ended.resetThrough([7]);
  t.strictSame(told, [
    ['warn', 'connections to pods that have gone may hang', { connections: 1, reason: 'No such file or directory' }],
  ]);
  const missing = new ConnectionResetter({
    programs: { flowsThrough: () => Promise.reject(new Error('lost')) },
    nft: '/there/is/none',
    log: silentLog,
  });
  await t.rejects(missing.resetThrough([7]), { message: 'lost' });
});
