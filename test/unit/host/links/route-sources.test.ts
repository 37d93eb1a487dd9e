// Tests of src/host/links/route-sources.ts.

import t from 'tap';
import { readRouteSources } from '../../../../src/host/links/route-sources.ts';
import { FakeSystem } from '../../../support/fakes/fake-system.ts';

t.test(
  'readRouteSources() has the preferred sources that their links lack, and no name that a rule cannot have',
  async (t) => {
    const system = new FakeSystem();
    const address = (local: string, prefixlen: number) => ({ family: 'inet', local, prefixlen, scope: 'global' });
    const links = [
      { ifname: 'lo', addr_info: [address('192.0.2.1', 32)] },
      { ifname: 'eth0', addr_info: [address('198.51.100.1', 24)] },
      ...['x0', 'x1', 'x2', 'a"b', 'c*'].map((ifname) => ({ ifname, addr_info: [] })),
    ];
    const routes = [
      { dst: '198.51.100.0/24', dev: 'eth0', prefsrc: '198.51.100.1' },
      { dst: '10.1.2.0/24', dev: 'x0', prefsrc: '192.0.2.1' },
      { dst: '10.1.3.0/24', dev: 'x0', prefsrc: '192.0.2.1' },
      { dst: '10.1.4.0/24', prefsrc: '192.0.2.1', nexthops: [{ dev: 'x1' }, { dev: 'eth0' }] },
      { dst: '10.1.5.0/24', dev: 'x2' },
      ...['a"b', 'c*', 'absent'].map((dev) => ({ dst: '10.1.6.0/24', dev, prefsrc: '192.0.2.1' })),
    ];
    system.programs
      .set('ip -json address show', JSON.stringify(links))
      .set('ip -json -4 route show table main', JSON.stringify(routes))
      .set('ip -json -6 route show table main', '');
    t.strictSame(
      await readRouteSources(system),
      ['eth0', 'x0', 'x1'].map((link) => ({ address: '192.0.2.1', link })),
    );
  },
);
