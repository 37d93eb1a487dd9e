// Tests of src/fastpath/eligibility/resolve-backends.ts.

import t from 'tap';
import type { DesiredFrontend } from '../../../../src/fastpath/eligibility/eligibility-index.ts';
import { resolveBackends } from '../../../../src/fastpath/eligibility/resolve-backends.ts';

const PATH = { flags: 0, ifindex: 7, l3if: 7, mtu: 1500, mac: new Uint8Array(6), gatewayMac: new Uint8Array(6) };

function frontend(port: number, addresses: readonly string[]): DesiredFrontend {
  return {
    ...{ name: 'shop/web', servicePort: 'shop/web ip udp', kind: 'node-port' },
    key: { address: '192.0.2.1', port, protocol: 'udp' },
    endpoints: addresses.map((address) => ({ address, port: 8080 })),
  };
}

t.test('resolveBackends() resolves all backends of a frontend, with its protocol', async (t) => {
  const one = frontend(80, ['10.1.0.1', '10.1.0.1', '10.1.0.2']);
  const { frontends, unresolved } = resolveBackends([one], (backend) => ({ ...backend, ...PATH }));
  t.strictSame(
    frontends[0]?.backends.map(({ address, port, protocol }) => `${address} ${port} ${protocol}`),
    ['10.1.0.1 8080 udp', '10.1.0.1 8080 udp', '10.1.0.2 8080 udp'],
  );
  t.match(frontends, [{ key: one.key, servicePort: one.servicePort, suspended: false }]);
  t.strictSame(unresolved, []);
});

t.test('resolveBackends() skips a frontend for its first unreachable backend', async (t) => {
  const [one, other] = [frontend(80, ['10.1.0.1', '10.1.0.2', '10.1.0.3']), frontend(81, ['10.1.0.1'])];
  const { frontends, unresolved } = resolveBackends([one, other], (backend) =>
    backend.address === '10.1.0.1' ? { ...backend, ...PATH } : { cause: 'pod', reason: 'no route to the pod' },
  );
  t.match(frontends, [{ key: { port: 81 } }]);
  t.strictSame(unresolved, [{ frontend: one, cause: 'pod', reason: '10.1.0.2: no route to the pod' }]);
});

t.test('resolveBackends() names no pod for causes of the node', async (t) => {
  const { unresolved } = resolveBackends([frontend(80, ['10.1.0.1'])], () => ({ cause: 'node', reason: 'Calico' }));
  t.match(unresolved, [{ reason: 'Calico' }]);
});
