// Tests of what an operator reads of the fast path: its view as text, and what becomes of one flow.
import t from 'tap';
import { explainFastPath } from '../../../../src/explain/fast-path-explanation.ts';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import type { FastPathStatus } from '../../../../src/fastpath/status/fast-path-status.ts';
import { printFastPathStatus } from '../../../../src/fastpath/status/print-status.ts';

const VIEW: FastPathStatus = {
  mode: 'auto',
  state: 'on',
  attach: 'tcx',
  udp: true,
  uplinks: [{ name: 'eth0' }, { name: 'eth1', reason: 'it has the queue ingress' }],
  podDevices: ['veth1'],
  frontends: [
    {
      ...{ name: 'shop/web:http', kind: 'node-port', destination: '192.0.2.1 30080/tcp', flows: 3 },
      backends: ['veth1 10.1.0.1:8080'],
    },
    {
      ...{ name: 'shop/api:http', kind: 'external-ip', destination: '192.0.2.9 80/tcp', flows: 0 },
      ...{ backends: ['veth1 10.1.0.1:80'], suspended: 'nobody answered' },
    },
  ],
  skipped: [{ name: 'shop/dns:dns', destination: '192.0.2.1 30053/udp', cause: 'affinity', reason: 'it remembers' }],
  excludedSources: ['10.1.0.0/16', '192.0.2.1/32', 'fd00::1/128'],
  flows: { ip: 3, ip6: 0 },
  flowTables: { ip: { entries: 6, limit: 12 }, ip6: { entries: 0, limit: 12 } },
  slots: { used: 2, draining: 1 },
  packets: [
    { reason: 'FORWARDED', outcome: 'forwarded', count: 7, description: 'to its backend' },
    { reason: 'PORT', outcome: 'passed', count: 0, description: 'no frontend' },
    { reason: 'TTL', outcome: 'passed', count: 2, description: 'at its end' },
  ],
  totals: { collections: 9, scanned: 9, deleted: 9, fallbacks: 1, failures: 0, loaderRestarts: 2 },
};

t.test('the view as text', async (t) => {
  t.equal(
    printFastPathStatus(VIEW),
    `fast path: on (mode auto), by tcx, TCP and UDP
uplinks: eth0, not eth1 (it has the queue ingress)
devices of pods: veth1
flows: 3 of 6 (50.0 %) in IPv4, 0 of 6 (0.0 %) in IPv6
backends: 2 in use, 1 of them only by connections that live
clients that are nft's: 10.1.0.0/16, the addresses of this node
since the daemon began: 1 Service ports handed back to nft, for connections were not answered, 2 starts of the loader after it had ended

by the fast path:
SERVICE        KIND         DESTINATION          FLOWS  BACKENDS
shop/api:http  external-ip  192.0.2.9 80/tcp         0  veth1 10.1.0.1:80 (new flows are nft's: nobody answered)
shop/web:http  node-port    192.0.2.1 30080/tcp      3  veth1 10.1.0.1:8080

left to nft:
SERVICE       DESTINATION          WHY
shop/dns:dns  192.0.2.1 30053/udp  it remembers

packets by the fast path:
REASON     COUNT  MEANING
FORWARDED      7  to its backend

packets handed on to nft and the stack, as they came:
REASON  COUNT  MEANING
TTL         2  at its end`,
  );
});

t.test('nothing to serve, off, and out of step', async (t) => {
  t.match(
    printFastPathStatus({ ...VIEW, frontends: [], skipped: [] }),
    /\nno Service with the Local policy has an endpoint/,
  );
  const off = { ...VIEW, state: 'off', reason: 'there is no uplink', slots: { used: 0, draining: 0 } } as const;
  t.equal(
    printFastPathStatus({ ...off, uplinks: off.uplinks.slice(1) }),
    'fast path: off (mode auto), by tcx, TCP and UDP: there is no uplink\nuplinks: not eth1 (it has the queue ingress)',
  );
  t.match(
    printFastPathStatus({ ...off, slots: { used: 1, draining: 1 } }),
    /^fast path: off .*\n[\s\S]*\nby the fast path:/,
  );
  const failing = { reason: 'the loader ended', since: '2026-01-02T03:04:05.678Z', attempts: 3 };
  t.match(
    printFastPathStatus({ ...VIEW, failing }),
    /^fast path: on .*\n!!! it cannot be kept in step since 2026-01-02T03:04:05.678Z, 3 attempts: the loader ended\n!!! What/,
  );
});

const PACKET: Packet = {
  ...{ family: 'ip', protocol: 'tcp', source: '203.0.113.5', sourcePort: 40_000, inInterface: 'eth0' },
  ...{ destination: '192.0.2.1', destinationPort: 30_080 },
};

t.test('what becomes of a flow, and why it is left', async (t) => {
  t.strictSame(explainFastPath(PACKET, VIEW), { eligible: true, reason: 'to veth1 10.1.0.1:8080' });
  const cases: readonly [packet: Partial<Packet>, view: Partial<FastPathStatus>, reason: RegExp][] = [
    [{}, { state: 'off', reason: 'Calico' }, /^it is off: Calico$/],
    [{ inInterface: undefined }, {}, /from outside, not what this node sends/],
    [{ inInterface: 'eth1' }, {}, /by eth0, not by eth1$/],
    [{ inInterface: '' }, {}, /not by an unknown interface$/],
    [{ source: '10.1.2.3' }, {}, /^10.1.2.3 is of 10.1.0.0\/16/],
    [{ source: '192.0.2.1' }, {}, /is of 192.0.2.1\/32/],
    [{ destinationPort: 30_053, protocol: 'udp' }, {}, /^it remembers$/],
    [{ destinationPort: 30_053 }, {}, /^it serves node ports/],
    [{ destination: '192.0.2.9', destinationPort: 80 }, {}, /^nobody answered$/],
  ];
  for (const [packet, view, reason] of cases) {
    const fate = explainFastPath({ ...PACKET, ...packet }, { ...VIEW, ...view });
    t.equal(fate?.eligible, false, String(reason));
    t.match(fate?.reason, reason);
  }
  t.equal(explainFastPath(PACKET, { ...VIEW, mode: 'off' }), undefined);
  t.equal(explainFastPath(PACKET, undefined), undefined);
});

t.test('one of several backends, each once', async (t) => {
  const [frontend] = VIEW.frontends;
  if (frontend === undefined) throw new Error('there is no frontend');
  const frontends = [{ ...frontend, backends: ['veth1 10.1.0.1:80', 'veth2 10.1.0.2:80', 'veth1 10.1.0.1:80'] }];
  t.equal(explainFastPath(PACKET, { ...VIEW, frontends })?.reason, 'to one of veth1 10.1.0.1:80, veth2 10.1.0.2:80');
});
