// Tests of src/fastpath/maps/port-usage.ts.

import t from 'tap';
import type { BackendValue } from '../../../../src/fastpath/maps/entries.ts';
import { PortUsage } from '../../../../src/fastpath/maps/port-usage.ts';

const BACKEND: BackendValue = {
  ...{ address: '10.1.0.1', port: 70, protocol: 'tcp', flags: 0, ifindex: 7, gen: 1, svc: 1, l3if: 7, mtu: 1500 },
  ...{ mac: new Uint8Array(6), gatewayMac: new Uint8Array(6) },
};
const [SET, CLEAR] = [/^put ports 01000000 40/, /^put ports 01000000 00/];

/** A usage with frontend port 70 of Service port 1. */
function usage(): PortUsage {
  const ports = new PortUsage(new Map(), { servicePortIds: [], now: 0 });
  ports.addFrontend(70, 1);
  t.match(ports.takeWrites(), [SET]);
  return ports;
}

/** Clears unused bits when no frontend is left. */
function clear(ports: PortUsage, now: number, flows?: { at: number; servicePortIds: ReadonlySet<number> }): string[] {
  ports.clearUnused({ now, frontendPorts: new Set(), backends: [BACKEND], flows });
  return ports.takeWrites();
}

t.test('the port of a frontend stays while the frontend exists', async (t) => {
  const ports = usage();
  ports.clearUnused({ now: 1, frontendPorts: new Set([70]), backends: [], flows: undefined });
  t.strictSame(ports.takeWrites(), []);
});

t.test('the port of a removed frontend stays until a later count finds no flows', async (t) => {
  const ports = usage();
  t.strictSame(clear(ports, 10), [], 'not counted yet');
  t.strictSame(clear(ports, 20, { at: 9, servicePortIds: new Set() }), [], 'counted before the removal');
  t.strictSame(clear(ports, 30, { at: 29, servicePortIds: new Set([1]) }), [], 'flows are live');
  t.match(clear(ports, 40, { at: 39, servicePortIds: new Set([2]) }), [CLEAR]);
});

t.test('the port of a removed frontend is cleared when its Service port has no slots', async (t) => {
  const ports = usage();
  ports.clearUnused({ now: 10, frontendPorts: new Set(), backends: [{ ...BACKEND, svc: 2 }], flows: undefined });
  t.match(ports.takeWrites(), [CLEAR]);
});

t.test('the port of a backend is cleared with its last slot', async (t) => {
  const ports = new PortUsage(new Map(), { servicePortIds: [], now: 0 });
  ports.addBackend(70);
  t.equal(ports.takeWrites().length, 1);
  t.strictSame(clear(ports, 1), []);
  ports.clearUnused({ now: 2, frontendPorts: new Set(), backends: [], flows: undefined });
  t.equal(ports.takeWrites().length, 1);
});

t.test('installed ports may be used by any installed Service port', async (t) => {
  const ports = new PortUsage(new Map([[1, 64n]]), { servicePortIds: [1], now: 5 });
  t.strictSame(clear(ports, 10), []);
  t.match(clear(ports, 20, { at: 15, servicePortIds: new Set() }), [CLEAR]);
});
