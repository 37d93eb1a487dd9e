// Tests of src/fastpath/eligibility/backend-path.ts.

import t from 'tap';
import { backendPath, inactiveReason } from '../../../../src/fastpath/eligibility/backend-path.ts';
import type { UnresolvedBackend } from '../../../../src/fastpath/eligibility/resolve-backends.ts';
import { BACKEND_NEIGH } from '../../../../src/fastpath/maps/layout.ts';
import type { PodLocation } from '../../../../src/fastpath/node/pod-location.ts';

const MACS = { mac: new Uint8Array(6).fill(2), gatewayMac: new Uint8Array(6).fill(4) };
const LOCATION: PodLocation = { device: 'veth1', ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
const WITH_QDISC: PodLocation = { ...LOCATION, egress: 'it has qdisc tbf' };
const BACKEND: UnresolvedBackend = { address: '10.1.0.1', port: 80, protocol: 'tcp' };
const uplink = (mtu: number) => ({ name: 'eth0', ifindex: 2, mtu, reason: undefined });
const CONTEXT = { udp: true, uplinks: [uplink(1500)] };

t.test('backendPath() redirects to the pod, or through its device if that has an egress qdisc', async (t) => {
  const resolved = { ...BACKEND, ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
  t.strictSame(backendPath(BACKEND, LOCATION, CONTEXT), { ...resolved, flags: 0 });
  t.strictSame(backendPath(BACKEND, WITH_QDISC, { udp: true, uplinks: [uplink(1400)] }), {
    ...resolved,
    flags: BACKEND_NEIGH,
  });
});

t.test('backendPath() gives the reason why a backend cannot be reached', async (t) => {
  t.match(backendPath(BACKEND, 'no route to the pod', CONTEXT), { cause: 'pod', reason: 'no route to the pod' });
  t.match(backendPath(BACKEND, undefined, CONTEXT), { cause: 'pod', reason: 'pod location unknown' });
  t.match(backendPath({ ...BACKEND, protocol: 'udp' }, LOCATION, { ...CONTEXT, udp: false }), {
    cause: 'kernel',
    reason: /^UDP/,
  });
  t.match(backendPath(BACKEND, WITH_QDISC, { udp: true, uplinks: [uplink(1400), uplink(1401)] }), {
    cause: 'pod',
    reason: 'veth1: it has qdisc tbf, and its MTU is below that of an uplink',
  });
});

t.test('inactiveReason() requires a node without conflict and a usable uplink', async (t) => {
  t.equal(inactiveReason(undefined, [uplink(1500)]), undefined);
  t.strictSame(inactiveReason('Calico', [uplink(1500)]), { cause: 'node', reason: 'Calico' });
  t.strictSame(inactiveReason(undefined, []), { cause: 'uplink', reason: 'no usable uplink' });
});
