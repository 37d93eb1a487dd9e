// Tests of src/services/model/node-port-addresses.ts.

import t from 'tap';
import { FAMILIES } from '../../../../src/net/family.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import {
  type NodePortAddress,
  type NodePortIps,
  nodePortAddresses,
  nodePortBlocks,
  resolveNodePorts,
  takesNodePorts,
} from '../../../../src/services/model/node-port-addresses.ts';

const HOST = ['127.0.0.1', '::1', '192.0.2.1', '192.0.2.129', '198.51.100.1', 'fd00::1', 'fd01::1'];
const HOST_IP = ['192.0.2.1', '192.0.2.129', '198.51.100.1'];
const HOST_IP6 = ['fd00::1', 'fd01::1'];

/** Entries, the Node's primary addresses, and the result. */
interface Case {
  readonly entries: readonly string[];
  readonly primary?: { readonly ip?: string; readonly ip6?: string };
  readonly ip: NodePortIps;
  readonly ip6: NodePortIps;
  readonly localhost?: boolean;
}

const DUAL_STACK = { ip: '192.0.2.1', ip6: 'fd00::1' };

const CASES: readonly Case[] = [
  { entries: [], ip: 'any', ip6: 'any' },
  { entries: ['primary'], primary: { ip: '192.0.2.1' }, ip: ['192.0.2.1'], ip6: 'any' },
  { entries: ['primary'], primary: DUAL_STACK, ip: ['192.0.2.1'], ip6: ['fd00::1'] },
  { entries: ['primary'], ip: 'any', ip6: 'any' },
  { entries: ['primary'], primary: { ip: '127.0.0.1', ip6: '::1' }, ip: 'any', ip6: 'any' },
  { entries: ['primary'], primary: { ip: '203.0.113.1' }, ip: ['203.0.113.1'], ip6: 'any' },
  { entries: ['192.0.2.0/25'], ip: ['192.0.2.1'], ip6: 'any' },
  { entries: ['192.0.2.0/24', 'fd00::/16'], ip: ['192.0.2.1', '192.0.2.129'], ip6: ['fd00::1'] },
  { entries: ['192.0.2.0/24', '0.0.0.0/0'], ip: 'any', ip6: 'any' },
  { entries: ['127.0.0.0/8', '::1/128'], ip: [], ip6: [] },
  { entries: ['203.0.113.0/24'], ip: [], ip6: 'any' },
  { entries: ['all'], primary: DUAL_STACK, ip: 'any', ip6: 'any' },
  { entries: ['all', '192.0.2.0/25'], ip: 'any', ip6: 'any' },
  { entries: ['all', 'localhost'], ip: 'any', ip6: 'any', localhost: true },
  { entries: ['primary', 'all'], primary: DUAL_STACK, ip: 'any', ip6: 'any' },
  {
    entries: ['primary', '198.51.100.0/24'],
    primary: { ip: '192.0.2.1' },
    ip: ['192.0.2.1', '198.51.100.1'],
    ip6: 'any',
  },
  { entries: ['primary', '192.0.2.0/25'], primary: DUAL_STACK, ip: ['192.0.2.1'], ip6: ['fd00::1'] },
  { entries: ['primary', 'localhost'], primary: { ip: '192.0.2.1' }, ip: ['192.0.2.1'], ip6: 'any', localhost: true },
  { entries: ['primary', 'localhost'], ip: 'any', ip6: 'any', localhost: true },
  { entries: ['localhost'], primary: DUAL_STACK, ip: [], ip6: [], localhost: true },
  { entries: ['localhost', '198.51.100.0/24'], ip: ['198.51.100.1'], ip6: [], localhost: true },
];

function resolve({ entries, primary = {} }: Case) {
  const parsed = entries.map((text) => (parsePrefix(text) ?? text) as NodePortAddress);
  return resolveNodePorts(parsed, { primary: { ip: primary.ip, ip6: primary.ip6 }, hostAddresses: HOST });
}

t.test('resolveNodePorts() adds up keywords and blocks for each family', async (t) => {
  for (const testCase of CASES) {
    const expected = {
      nodePortIps: { ip: testCase.ip, ip6: testCase.ip6 },
      localhostNodePorts: testCase.localhost ?? false,
    };
    t.strictSame(resolve(testCase), expected, JSON.stringify(testCase));
  }
});

t.test('resolveNodePorts() uses the primary address, whether or not it is on an interface', async (t) => {
  const entries = ['primary'];
  for (const address of ['192.0.2.1', '203.0.113.1']) {
    const testCase: Case = { entries, primary: { ip: address }, ip: [address], ip6: 'any' };
    t.strictSame(resolve(testCase).nodePortIps, { ip: testCase.ip, ip6: testCase.ip6 }, address);
  }
});

t.test('nodePortAddresses() lists the addresses of the host, without loopback', async (t) => {
  for (const testCase of CASES) {
    const expected = [testCase.ip === 'any' ? HOST_IP : testCase.ip, testCase.ip6 === 'any' ? HOST_IP6 : testCase.ip6];
    const listed = FAMILIES.map((family) => nodePortAddresses(resolve(testCase), family, HOST));
    t.strictSame(listed, expected, JSON.stringify(testCase));
  }
});

t.test('takesNodePorts() agrees with nodePortAddresses(), and accepts 127.0.0.1 with `localhost`', async (t) => {
  const isHostAddress = (address: string) => HOST.includes(address);
  for (const testCase of CASES) {
    const scope = resolve(testCase);
    const listed = FAMILIES.flatMap((family) => nodePortAddresses(scope, family, HOST));
    for (const address of [...HOST, '192.0.2.250', 'fd00::250']) {
      const expected = listed.includes(address) || (address === '127.0.0.1' && testCase.localhost === true);
      t.equal(takesNodePorts(address, scope, isHostAddress), expected, `${address} with ${JSON.stringify(testCase)}`);
    }
  }
});

t.test('nodePortBlocks() drops the keywords', async (t) => {
  const block = parsePrefix('192.0.2.0/24');
  t.strictSame(nodePortBlocks(['primary', ...(block === undefined ? [] : [block]), 'localhost']), [block]);
  t.strictSame(nodePortBlocks([]), []);
});
