// Tests of src/conntrack/reversed-flows.ts.
import t from 'tap';
import type { ConntrackEntry } from '../../../src/conntrack/conntrack-entry.ts';
import { REPLY_TIMEOUT_MS, ReversedFlows } from '../../../src/conntrack/reversed-flows.ts';

const [CLIENT, SERVER] = ['192.0.2.9', '192.0.2.1'];

function flow(sourcePort: number): ConntrackEntry {
  const original = { source: CLIENT, sourcePort, destination: SERVER, destinationPort: 53 };
  return { family: 'ip', original, reply: answer(sourcePort).original };
}

function answer(port: number): Pick<ConntrackEntry, 'original'> {
  return { original: { source: SERVER, sourcePort: 53, destination: CLIENT, destinationPort: port } };
}

t.test('TurnedFlows knows a flow the other way round, for a while', async (t) => {
  const flows = new ReversedFlows();
  flows.record(flow(1), 0);
  flows.record(flow(2), 10);
  t.notOk(flows.has(flow(1)), 'the way it was');
  t.notOk(flows.has(answer(3)));
  flows.record(flow(1), 20);
  flows.prune(REPLY_TIMEOUT_MS + 10);
  t.ok(flows.has(answer(1)), 'it was removed once more');
  t.notOk(flows.has(answer(2)));
  flows.prune(REPLY_TIMEOUT_MS + 20);
  t.equal(flows.size, 0);
});

t.test('TurnedFlows remembers so many and no more', async (t) => {
  const flows = new ReversedFlows(1);
  flows.record(flow(1), 0);
  flows.record(flow(2), 0);
  t.equal(flows.size, 1);
  t.ok(flows.has(answer(1)));
});
