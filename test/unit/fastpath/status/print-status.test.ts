// Tests of src/fastpath/status/print-status.ts.

import t from 'tap';
import { printFastPathStatus } from '../../../../src/fastpath/status/print-status.ts';
import { FAST_PATH_STATUS } from '../../../support/builders/fast-path-status.ts';

t.test('printFastPathStatus() prints the whole status, sorted by Service', async (t) => {
  t.equal(
    printFastPathStatus(FAST_PATH_STATUS),
    `fast path: on (mode auto), attached by tcx, TCP and UDP
uplinks: eth0, not eth1 (it has qdisc ingress)
pod devices: veth1
flows: IPv4 3 of 6 (50.0 %), IPv6 0 of 6 (0.0 %)
backend slots: 2 used, 1 of them draining
excluded clients: 10.1.0.0/16, addresses of this node
since the daemon started: 1 suspensions of Service ports without replies, 2 loader restarts

served by the fast path:
SERVICE        KIND         DESTINATION          FLOWS  BACKENDS
shop/api:http  external-ip  192.0.2.9:80/tcp         0  veth1 10.1.0.1:80 (new flows go to nftables: no replies)
shop/web:http  node-port    192.0.2.1:30080/tcp      3  veth1 10.1.0.1:8080

served by nftables:
SERVICE       DESTINATION          REASON
shop/dns:dns  192.0.2.1:30053/udp  session affinity

packets forwarded by the fast path:
REASON     COUNT  MEANING
FORWARDED      7  to its backend

packets passed unmodified to the network stack:
REASON  COUNT  MEANING
TTL         2  hop limit reached`,
  );
});

t.test('printFastPathStatus() reports a node without eligible Services', async (t) => {
  t.match(
    printFastPathStatus({ ...FAST_PATH_STATUS, frontends: [], skipped: [] }),
    /\nno Service with externalTrafficPolicy Local has an endpoint/,
  );
});

t.test('printFastPathStatus() prints why the fast path is off, and its state while slots are used', async (t) => {
  const slots = { used: 0, draining: 0 };
  const off = { ...FAST_PATH_STATUS, state: 'off', reason: 'no usable uplink', slots } as const;
  t.equal(
    printFastPathStatus({ ...off, uplinks: off.uplinks.slice(1) }),
    'fast path: off (mode auto), attached by tcx, TCP and UDP: no usable uplink\n' +
      'uplinks: not eth1 (it has qdisc ingress)',
  );
  t.match(
    printFastPathStatus({ ...off, slots: { used: 1, draining: 1 } }),
    /^fast path: off .*\n[\s\S]*\nserved by the fast path:/,
  );
});

t.test('printFastPathStatus() warns while syncs fail', async (t) => {
  const failing = { reason: 'the loader exited', since: '2026-01-02T03:04:05.678Z', attempts: 3 };
  t.match(
    printFastPathStatus({ ...FAST_PATH_STATUS, failing }),
    /^fast path: on .*\nwarning: out of sync since 2026-01-02T03:04:05.678Z, 3 attempts: the loader exited\n {2}attached/,
  );
});

t.test('printFastPathStatus() lists events apart from packets', async (t) => {
  const packets = [{ reason: 'REROUTED', outcome: 'event', count: 4, description: 'route changed' }] as const;
  const text = printFastPathStatus({ ...FAST_PATH_STATUS, packets, podDevices: [] });
  t.match(text, /\npod devices: none\n/);
  t.match(text, /\nevents:\nREASON +COUNT +MEANING\nREROUTED +4 +route changed$/);
});
