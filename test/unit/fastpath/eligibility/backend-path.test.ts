// Tests of how the programs reach a backend, or why they do not.
import t from 'tap';
import { backendPath, inactiveReason } from '../../../../src/fastpath/eligibility/backend-path.ts';
import type { UnresolvedBackend } from '../../../../src/fastpath/eligibility/resolve-backends.ts';
import { BACKEND_NEIGH } from '../../../../src/fastpath/maps/layout.ts';
import type { PodLocation } from '../../../../src/fastpath/node/pod-location.ts';

const MACS = { mac: new Uint8Array(6).fill(2), gatewayMac: new Uint8Array(6).fill(4) };
const WHERE: PodLocation = { device: 'veth1', ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
const SHAPED: PodLocation = { ...WHERE, egress: 'it has the queue tbf' };
const BACKEND: UnresolvedBackend = { address: '10.1.0.1', port: 80, protocol: 'tcp' };
const uplink = (mtu: number) => ({ name: 'eth0', ifindex: 2, mtu, reason: undefined });
const AROUND = { udp: true, uplinks: [uplink(1500)] };

t.test('straight to the pod, or by its device where something on the way is not to be missed', async (t) => {
  const placed = { ...BACKEND, ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
  t.strictSame(backendPath(BACKEND, WHERE, AROUND), { ...placed, flags: 0 });
  t.strictSame(backendPath(BACKEND, SHAPED, { udp: true, uplinks: [uplink(1400)] }), {
    ...placed,
    flags: BACKEND_NEIGH,
  });
});

t.test('why it is not reached', async (t) => {
  t.match(backendPath(BACKEND, 'no route leads to it', AROUND), { cause: 'pod', reason: 'no route leads to it' });
  t.match(backendPath(BACKEND, undefined, AROUND), { cause: 'pod', reason: 'it is not known' });
  t.match(backendPath({ ...BACKEND, protocol: 'udp' }, WHERE, { ...AROUND, udp: false }), {
    cause: 'kernel',
    reason: /^UDP/,
  });
  t.match(backendPath(BACKEND, SHAPED, { udp: true, uplinks: [uplink(1400), uplink(1401)] }), {
    cause: 'pod',
    reason: 'veth1: it has the queue tbf, and its MTU is below that of an uplink',
  });
});

t.test('why nothing is taken at all', async (t) => {
  t.equal(inactiveReason(undefined, [uplink(1500)]), undefined);
  t.strictSame(inactiveReason('Calico', [uplink(1500)]), { cause: 'node', reason: 'Calico' });
  t.strictSame(inactiveReason(undefined, []), { cause: 'uplink', reason: 'there is no uplink' });
});
