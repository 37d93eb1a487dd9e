// Tests of src/host/network/read-host.ts.

import t from 'tap';
import { parseRoutes, parseRoutes6, readHost } from '../../../../src/host/network/read-host.ts';
import { outputInterface } from '../../../../src/net/host.ts';

const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
lan\t00000000\t644DA8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
pod-a\t0A01010A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
down\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF\t0\t0\t0
lan\t004DA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;

const ROUTES6 = `fd000001000100000000000000000010 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00000001    pod-a
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000077000000000000000000000100 00000400 00000001 00000000 00000003      lan
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

t.test('parseRoutes() reads the IPv4 table', async (t) => {
  const routes = parseRoutes(ROUTES);
  t.strictSame(
    routes.map((route) => `${route.prefix.text} ${route.interface}`),
    ['0.0.0.0/0 lan', '10.1.1.10/32 pod-a', '192.168.77.0/24 lan'],
  );
  const host = { addresses: [], routes };
  t.equal(outputInterface(host, '10.1.1.10'), 'pod-a', 'the longest prefix decides');
  t.equal(outputInterface(host, '10.1.1.11'), 'lan');
});

t.test('parseRoutes6() reads the IPv6 table', async (t) => {
  const routes = parseRoutes6(ROUTES6);
  t.strictSame(
    routes.map((route) => `${route.prefix.text} ${route.interface}`),
    ['fd00:1:1::10/128 pod-a', '::/0 lan'],
  );
  t.equal(outputInterface({ addresses: [], routes: [] }, 'fd00::1'), undefined, 'there is no route');
});

t.test('readHost() reads the addresses and routes of this host', async (t) => {
  const { addresses, routes } = await readHost();
  t.ok(addresses.includes('127.0.0.1'));
  for (const route of routes) t.match(route, { prefix: { family: /^ip6?$/ }, interface: /./ });
});
