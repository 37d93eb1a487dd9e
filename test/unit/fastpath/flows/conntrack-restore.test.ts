// Tests of src/fastpath/flows/conntrack-restore.ts.

import t from 'tap';
import { conntrackRestoreLines } from '../../../../src/fastpath/flows/conntrack-restore.ts';
import type { FlowEntry } from '../../../../src/fastpath/maps/entries.ts';
import { FLOW } from '../../../support/builders/flow-entry.ts';

t.test('conntrackRestoreLines() translates an established connection as nftables would', async (t) => {
  t.strictSame(conntrackRestoreLines([FLOW]), [
    '-I -p tcp -t 3600 -u SEEN_REPLY,ASSURED --state ESTABLISHED --orig-src 198.51.100.7 --orig-dst 192.0.2.1 ' +
      '--sport 40000 --dport 30080 --dst-nat 10.1.0.1:8080',
  ]);
});

t.test('conntrackRestoreLines() translates a changed client port', async (t) => {
  const flow: FlowEntry = {
    ...FLOW,
    protocol: 'udp',
    client: { address: 'fd00:2::7', port: 40_000 },
    translated: { address: 'fd00:9::2', port: 8080, clientPort: 50_000 },
  };
  const [line] = conntrackRestoreLines([flow]);
  t.match(line, /-p udp -t 120 .* --dst-nat \[fd00:9::2\]:8080 --src-nat \[fd00:2::7\]:50000$/);
  t.notMatch(line, /--state/);
});

t.test('conntrackRestoreLines() omits replies, and connections that are new or closed', async (t) => {
  const states = ['closed', 'new'] as const;
  const out = [{ ...FLOW, direction: 'reply' as const }, ...states.map((state) => ({ ...FLOW, state }))];
  t.strictSame(conntrackRestoreLines(out), []);
});
