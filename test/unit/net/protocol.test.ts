// Tests of src/net/protocol.ts.

import t from 'tap';
import { parseProtocol } from '../../../src/net/protocol.ts';

t.test('parseProtocol() accepts only the three protocols of the API', async (t) => {
  t.strictSame(['TCP', 'UDP', 'SCTP'].map(parseProtocol), ['tcp', 'udp', 'sctp']);
  for (const name of ['tcp', 'ICMP', '', '6', 'constructor']) t.equal(parseProtocol(name), undefined, name);
});
