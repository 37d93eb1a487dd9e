// Tests of how the programs reach a backend, or why they do not.
import t from 'tap';
import type { Sought } from '../../../../src/fastpath/eligibility/place.ts';
import { offBecause, reach } from '../../../../src/fastpath/eligibility/reach.ts';
import { BACKEND_NEIGH } from '../../../../src/fastpath/maps/layout.ts';
import type { Location } from '../../../../src/fastpath/node/locate.ts';

const MACS = { mac: new Uint8Array(6).fill(2), gatewayMac: new Uint8Array(6).fill(4) };
const WHERE: Location = { device: 'veth1', ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
const SHAPED: Location = { ...WHERE, egress: 'it has the queue tbf' };
const BACKEND: Sought = { address: '10.1.0.1', port: 80, protocol: 'tcp' };
const uplink = (mtu: number) => ({ name: 'eth0', ifindex: 2, mtu, reason: undefined });
const AROUND = { udp: true, uplinks: [uplink(1500)] };

t.test('straight to the pod, or by its device where something on the way is not to be missed', async (t) => {
  const placed = { ...BACKEND, ifindex: 7, l3if: 7, mtu: 1400, ...MACS };
  t.strictSame(reach(BACKEND, WHERE, AROUND), { ...placed, flags: 0 });
  t.strictSame(reach(BACKEND, SHAPED, { udp: true, uplinks: [uplink(1400)] }), { ...placed, flags: BACKEND_NEIGH });
});

t.test('why it is not reached', async (t) => {
  t.match(reach(BACKEND, 'no route leads to it', AROUND), { cause: 'pod', reason: 'no route leads to it' });
  t.match(reach(BACKEND, undefined, AROUND), { cause: 'pod', reason: 'it is not known' });
  t.match(reach({ ...BACKEND, protocol: 'udp' }, WHERE, { ...AROUND, udp: false }), {
    cause: 'kernel',
    reason: /^UDP/,
  });
  t.match(reach(BACKEND, SHAPED, { udp: true, uplinks: [uplink(1400), uplink(1401)] }), {
    cause: 'pod',
    reason: 'veth1: it has the queue tbf, and its MTU is below that of an uplink',
  });
});

t.test('why nothing is taken at all', async (t) => {
  t.equal(offBecause(undefined, [uplink(1500)]), undefined);
  t.strictSame(offBecause('Calico', [uplink(1500)]), { cause: 'node', reason: 'Calico' });
  t.strictSame(offBecause(undefined, []), { cause: 'uplink', reason: 'there is no uplink' });
});
