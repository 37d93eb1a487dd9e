// Tests of src/conntrack/udp/reversed-flows.ts.

import t from 'tap';
import type { ConntrackEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import { REPLY_TIMEOUT_MS, ReversedFlows } from '../../../../src/conntrack/udp/reversed-flows.ts';

const [CLIENT, SERVER] = ['192.0.2.9', '192.0.2.1'];

function flow(sourcePort: number): ConntrackEntry {
  const original = { source: CLIENT, sourcePort, destination: SERVER, destinationPort: 53 };
  return { family: 'ip', protocol: 'udp', original, reply: reverse(sourcePort).original };
}

function reverse(port: number): Pick<ConntrackEntry, 'original'> {
  return { original: { source: SERVER, sourcePort: 53, destination: CLIENT, destinationPort: port } };
}

t.test('ReversedFlows recognizes the reverse of a deleted flow for a limited time', async (t) => {
  const flows = new ReversedFlows();
  flows.record(flow(1), 0);
  flows.record(flow(2), 10);
  t.notOk(flows.has(flow(1)), 'the same direction');
  t.notOk(flows.has(reverse(3)));
  flows.record(flow(1), 20);
  flows.prune(REPLY_TIMEOUT_MS + 10);
  t.ok(flows.has(reverse(1)), 'it was deleted again');
  t.notOk(flows.has(reverse(2)));
  flows.prune(REPLY_TIMEOUT_MS + 20);
  t.equal(flows.size, 0);
});

t.test('ReversedFlows has a size limit', async (t) => {
  const flows = new ReversedFlows(1);
  flows.record(flow(1), 0);
  flows.record(flow(2), 0);
  t.equal(flows.size, 1);
  t.ok(flows.has(reverse(1)));
});
