// Tests of src/compile/fragment.ts.
import t from 'tap';
import { compileService, dispatchKey, frontendKey, type Surroundings } from '../../../src/compile/fragment.ts';
import { readEndpointSlice } from '../../../src/kube/endpoint-slice.ts';
import { readService } from '../../../src/kube/service.ts';
import { modelService } from '../../../src/model/service-port.ts';
import type { Element } from '../../../src/nft/element.ts';
import type { ApiObject } from '../../given/merge.ts';
import { service } from '../../given/service.ts';
import { DRAINING, endpoint, slice } from '../../given/slice.ts';

const ALONE: Surroundings = { owns: () => true, slots: () => [] };
const HERE = endpoint('10.1.0.1', { nodeName: 'n1' });
const THERE = endpoint('10.1.1.1', { nodeName: 'n2' });
const NODE_PORT = { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };

function compile(spec: ApiObject, endpoints: readonly ApiObject[], around: Partial<Surroundings> = {}): Element[] {
  const { value } = readService(service('shop/web', { spec }));
  const slices = readEndpointSlice(slice('shop/web', { endpoints })).value;
  if (value === undefined || slices === undefined) throw new Error('Both are used');
  const ports = modelService(value, [slices], { nodeName: 'n1', zone: undefined });
  return compileService(value, ports, { ...ALONE, ...around });
}

function lines(elements: readonly Element[]): string[] {
  return elements.map(({ object, key, data }) => `${object.name} ${key}${data === '' ? '' : ` : ${data}`}`);
}

const CASES: readonly [about: string, spec: ApiObject, endpoints: ApiObject[], expected: string[]][] = [
  [
    'cluster IP',
    {},
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-2',
      'hairpin 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  ['cluster IP without endpoints', {}, [], ['no-endpoints 10.96.0.1 . tcp . 80 : goto refuse']],
  ['internal policy Local', { internalTrafficPolicy: 'Local' }, [THERE], ['no-endpoints 10.96.0.1 . tcp . 80 : drop']],
  [
    'node port',
    NODE_PORT,
    [THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-1',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'service-nodeports tcp . 30080 : goto nodeport-1',
    ],
  ],
  [
    'external IP, policy Local, an endpoint here',
    { externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' },
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-2',
      'endpoints 198.51.100.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 198.51.100.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'local-endpoints 198.51.100.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'short-circuit-ips 198.51.100.1 . tcp . 80 : goto direct-2',
      'local-service-ips 198.51.100.1 . tcp . 80 : goto local-1',
      'service-ips 198.51.100.1 . tcp . 80 : goto external-local',
      'hairpin 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  [
    'node port, policy Local, endpoints elsewhere only',
    { ...NODE_PORT, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    [THERE],
    [
      'no-endpoints 10.96.0.1 . tcp . 80 : drop',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'short-circuit-nodeports tcp . 30080 : goto nodeport-direct-1',
      'service-nodeports tcp . 30080 : goto nodeport-local',
      'no-endpoint-nodeports tcp . 30080 : drop',
    ],
  ],
  [
    'node port, policy Local, no endpoint at all',
    { ...NODE_PORT, externalTrafficPolicy: 'Local' },
    [],
    ['no-endpoints 10.96.0.1 . tcp . 80 : goto refuse', 'no-endpoint-nodeports tcp . 30080 : goto refuse'],
  ],
  [
    'draining here, ready elsewhere',
    { ...NODE_PORT, externalTrafficPolicy: 'Local' },
    [{ ...HERE, ...DRAINING }, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-1',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'local-nodeport-endpoints tcp . 30080 . 0 : 10.1.0.1 . 8080',
      'short-circuit-nodeports tcp . 30080 : goto nodeport-direct-1',
      'local-service-nodeports tcp . 30080 : goto nodeport-to-local-1',
      'service-nodeports tcp . 30080 : goto nodeport-local',
      'hairpin 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
];

t.test('compileService() gives the elements of a Service', async (t) => {
  for (const [about, spec, endpoints, expected] of CASES) {
    t.strictSame(lines(compile(spec, endpoints)), ['cluster-ips 10.96.0.1', ...expected], about);
  }
});

t.test('compileService() says whose elements they are', async (t) => {
  const elements = compile({ ports: [{ name: '', port: 80, nodePort: 30080 }] }, [HERE]);
  for (const { owner, comment } of elements) t.strictSame([owner, comment], ['shop/web', 'shop/web']);
});

t.test('compileService() leaves out frontends that another Service has', async (t) => {
  const owns = (frontend: string) => !frontend.includes('198.51.100.1');
  t.strictSame(lines(compile({ externalIPs: ['198.51.100.1'] }, [THERE], { owns })), lines(compile({}, [THERE])));
  t.strictSame(lines(compile(NODE_PORT, [HERE], { owns: () => false })), ['cluster-ips 10.96.0.1']);
});

t.test('compileService() leaves backends in their slots', async (t) => {
  const slots: Surroundings['slots'] = ({ name }, key) =>
    `${name} ${key}` === 'endpoints 10.96.0.1 . tcp . 80' ? ['10.1.1.1 . 8080'] : [];
  const found = lines(compile({}, [HERE, THERE], { slots })).filter((line) => line.startsWith('endpoints'));
  t.strictSame(found, [
    'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
    'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.0.1 . 8080',
  ]);
});

t.test('frontendKey() tells families and kinds apart', async (t) => {
  const servicePort = { name: '', protocol: 'udp', port: 53, nodePort: 0 } as const;
  const frontend = {
    kind: 'cluster-ip',
    family: 'ip6',
    address: 'fd00::1',
    servicePort,
    port: 53,
    policy: 'Cluster',
  } as const;
  t.equal(dispatchKey(frontend), 'fd00::1 . udp . 53');
  t.equal(frontendKey(frontend), 'ip6 fd00::1 . udp . 53');
  t.equal(frontendKey({ ...frontend, kind: 'node-port', address: undefined, port: 30053 }), 'ip6 udp . 30053');
});
