// Tests of src/fastpath/eligibility/excluded-sources.ts.

import t from 'tap';
import { Engine } from '../../../../src/engine/engine.ts';
import {
  currentExcludedSources,
  excludedSources,
  isPodInterface,
} from '../../../../src/fastpath/eligibility/excluded-sources.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { node } from '../../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { replaceAll } from '../../../support/builders/put-objects.ts';

const POD_CIDRS = ['10.1.0.0/24'].flatMap((text) => parsePrefix(text) ?? []);
const texts = (prefixes: readonly { readonly text: string }[]) => prefixes.map(({ text }) => text);

t.test('excludedSources() lists pods, ServiceCIDRs and the node, each once', async (t) => {
  const detectLocal = { by: 'source', prefixes: { ip: '10.1.0.0/16' } } as const;
  const serviceCidrs = { ip: ['10.96.0.0/12'], ip6: ['fd02::/112'] };
  const hostAddresses = ['192.0.2.1', 'fd00::1', '192.0.2.1'];
  t.strictSame(texts(excludedSources({ detectLocal, serviceCidrs }, { hostAddresses, podCidrs: POD_CIDRS })), [
    ...['10.1.0.0/16', '10.96.0.0/12', 'fd02::/112', '192.0.2.1/32', 'fd00::1/128', '10.1.0.0/24'],
  ]);
});

t.test('excludedSources() has no pod prefix where pods are detected by interface', async (t) => {
  const detectLocal = { by: 'interface', name: 'pod-*' } as const;
  const sources = excludedSources(
    { detectLocal, serviceCidrs: { ip: [], ip6: [] } },
    { hostAddresses: [], podCidrs: [] },
  );
  t.strictSame(sources, []);
});

t.test('currentExcludedSources() includes the podCIDRs of the Node object', async (t) => {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  replaceAll(engine, [node('n1', { spec: { podCIDRs: ['10.9.0.0/24'] } })]);
  t.ok(texts(currentExcludedSources(engine, ['192.0.2.1'])).includes('10.9.0.0/24'));
});

t.test('isPodInterface() matches a name or a prefix', async (t) => {
  const cases: readonly [pattern: string, name: string, expected: boolean][] = [
    ['cni0', 'cni0', true],
    ['cni0', 'cni01', false],
    ['pod-*', 'pod-a', true],
    ['pod-*', 'eth0', false],
  ];
  for (const [pattern, name, expected] of cases)
    t.equal(isPodInterface({ detectLocal: { by: 'interface', name: pattern } }, name), expected, `${pattern} ${name}`);
  t.equal(isPodInterface({ detectLocal: { by: 'source', prefixes: {} } }, 'cni0'), false);
});
