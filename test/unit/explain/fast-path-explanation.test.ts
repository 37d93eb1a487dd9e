// Tests of src/explain/fast-path-explanation.ts.

import t from 'tap';
import { explainFastPath } from '../../../src/explain/fast-path-explanation.ts';
import type { Packet } from '../../../src/explain/flow/packet.ts';
import type { FastPathStatus } from '../../../src/fastpath/status/fast-path-status.ts';
import { FAST_PATH_STATUS } from '../../support/builders/fast-path-status.ts';

const PACKET: Packet = {
  ...{ family: 'ip', protocol: 'tcp', source: '203.0.113.5', sourcePort: 40_000, inInterface: 'eth0' },
  ...{ destination: '192.0.2.1', destinationPort: 30_080 },
};

t.test('explainFastPath() names the backend of a flow that the fast path takes', async (t) => {
  t.strictSame(explainFastPath(PACKET, FAST_PATH_STATUS), { eligible: true, reason: 'to veth1 10.1.0.1:8080' });
});

t.test('explainFastPath() names each of several backends once', async (t) => {
  const backends = ['veth1 10.1.0.1:80', 'veth2 10.1.0.2:80', 'veth1 10.1.0.1:80'];
  const frontends = FAST_PATH_STATUS.frontends.map((frontend) => ({ ...frontend, backends }));
  t.equal(
    explainFastPath(PACKET, { ...FAST_PATH_STATUS, frontends })?.reason,
    'to one of veth1 10.1.0.1:80, veth2 10.1.0.2:80',
  );
});

t.test('explainFastPath() gives the reason why nftables serves a flow', async (t) => {
  const cases: readonly [packet: Partial<Packet>, status: Partial<FastPathStatus>, reason: RegExp][] = [
    [{}, { state: 'off', reason: 'Calico' }, /^the fast path is off: Calico$/],
    [{ inInterface: undefined }, {}, /from outside, not those that this node sends/],
    [{ inInterface: 'eth1' }, {}, /arrives on eth1, not on an uplink \(eth0\)$/],
    [{ inInterface: '' }, {}, /on an unknown interface, not on an uplink/],
    [{ source: '10.1.2.3' }, {}, /^client 10.1.2.3 is in 10.1.0.0\/16, which is excluded$/],
    [{ source: '192.0.2.1' }, {}, /is in 192.0.2.1\/32/],
    [{ destinationPort: 30_053, protocol: 'udp' }, {}, /^session affinity$/],
    [{ destinationPort: 30_053 }, {}, /^not a node port/],
    [{ destination: '192.0.2.9', destinationPort: 80 }, {}, /^no replies$/],
  ];
  for (const [packet, status, reason] of cases) {
    const outcome = explainFastPath({ ...PACKET, ...packet }, { ...FAST_PATH_STATUS, ...status });
    t.equal(outcome?.eligible, false, String(reason));
    t.match(outcome?.reason, reason);
  }
});

t.test('explainFastPath() returns nothing where the fast path is turned off', async (t) => {
  t.equal(explainFastPath(PACKET, { ...FAST_PATH_STATUS, mode: 'off' }), undefined);
  t.equal(explainFastPath(PACKET, undefined), undefined);
});
