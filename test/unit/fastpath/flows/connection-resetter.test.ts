// Tests of src/fastpath/flows/connection-resetter.ts.

import t from 'tap';
import { ConnectionResetter } from '../../../../src/fastpath/flows/connection-resetter.ts';
import type { FlowEntry } from '../../../../src/fastpath/maps/entries.ts';
import { RESET_CONNECTIONS_SIZE } from '../../../../src/nftables/compile/sets-and-maps.ts';
import { FLOW } from '../../../support/builders/flow-entry.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';

/** A resetter that records its transactions, or whose transactions fail with a message. */
function resetterOf({ flows, failure = '' }: { flows: readonly FlowEntry[]; failure?: string }) {
  const applied: string[] = [];
  const applyToTables = async (lines: readonly string[]): Promise<void> => {
    if (failure !== '') throw new Error(failure);
    applied.push(lines.join('\n'));
  };
  const requests: (readonly number[])[] = [];
  const loader = {
    flowsThrough: async (devices: readonly number[]) => {
      requests.push(devices);
      return [...flows];
    },
  };
  const records: [string, string, unknown][] = [];
  const log = {
    ...silentLog,
    info: (message: string, details: unknown) => void records.push(['info', message, details]),
    warn: (message: string, details: unknown) => void records.push(['warn', message, details]),
  };
  const resetter = new ConnectionResetter({ loader, applyToTables, log });
  return { resetter, requests, records, nftInput: () => applied.join('\n') };
}

t.test('resetThrough() adds connections as clients see them, both families in one transaction', async (t) => {
  const ip6 = { ...FLOW, client: { address: 'fd00:2::7', port: 1 }, other: { address: 'fd00:1::1', port: 2 } };
  const { resetter, requests, records, nftInput } = resetterOf({
    flows: [FLOW, { ...FLOW, state: 'closing' }, ip6],
  });
  await resetter.resetThrough([7, 8]);
  t.strictSame(requests, [[7, 8]]);
  t.equal(
    nftInput().replaceAll('\n', ' '),
    'add element ip nftlane reset-connections { 198.51.100.7 . 40000 . 192.0.2.1 . 30080, ' +
      '198.51.100.7 . 40000 . 192.0.2.1 . 30080, ' +
      '}; add element ip6 nftlane reset-connections { fd00:2::7 . 1 . fd00:1::1 . 2, }',
  );
  t.strictSame(records, [['info', 'resetting connections to deleted pods', { count: 3 }]]);
});

t.test('resetThrough() ignores UDP, and connections that are new or closed', async (t) => {
  const flows: FlowEntry[] = [
    { ...FLOW, state: 'new' },
    { ...FLOW, state: 'closed' },
    { ...FLOW, protocol: 'udp' },
  ];
  const { resetter, records, nftInput } = resetterOf({ flows });
  await resetter.resetThrough([7]);
  t.equal(nftInput(), '');
  t.strictSame(records, []);
});

t.test('resetThrough() adds at most as many connections as the set holds', async (t) => {
  const flows = Array.from({ length: RESET_CONNECTIONS_SIZE + 5 }, (_, i) => ({
    ...FLOW,
    client: { address: `198.51.100.${i >> 16}`, port: i & 65_535 },
  }));
  const { resetter, nftInput } = resetterOf({ flows });
  await resetter.resetThrough([7]);
  t.equal(nftInput().match(/192\.0\.2\.1/g)?.length, RESET_CONNECTIONS_SIZE);
});

t.test('resetThrough() logs a failure of nft and rejects if the loader fails', async (t) => {
  const { resetter, records } = resetterOf({ flows: [FLOW], failure: 'No such file or directory' });
  await resetter.resetThrough([7]);
  t.strictSame(records, [
    ['warn', 'connections to deleted pods may hang', { count: 1, reason: 'No such file or directory' }],
  ]);
  const missing = new ConnectionResetter({
    loader: { flowsThrough: () => Promise.reject(new Error('lost')) },
    applyToTables: async () => {},
    log: silentLog,
  });
  await t.rejects(missing.resetThrough([7]), { message: 'lost' });
});
