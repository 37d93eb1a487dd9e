// Tests of src/services/objects/source-ranges.ts, by way of readService().

import t from 'tap';
import { sourceRangesOf } from '../../../../src/services/objects/source-ranges.ts';
import { read } from './read-service.ts';

t.test('readService() reads source ranges', async (t) => {
  const loadBalancerSourceRanges = [' 10.0.0.1/08 ', '', 'fd00::/8', '10.0.0.0', 'x/8'];
  const { value, issues } = read({ loadBalancerSourceRanges });
  t.strictSame(
    value.loadBalancerSourceRanges.map(({ text }) => text),
    ['10.0.0.0/8', 'fd00::/8'],
  );
  t.strictSame(issues, [
    'spec.loadBalancerSourceRanges[3] "10.0.0.0": ignoring this range',
    'spec.loadBalancerSourceRanges[4] "x/8": ignoring this range',
  ]);
});

const RANGES: readonly [ranges: unknown, ip: string[] | 'open', ip6: string[] | 'open', strict6: string[] | 'open'][] =
  [
    [undefined, 'open', 'open', 'open'],
    [[], 'open', 'open', 'open'],
    [['', ' '], 'open', 'open', 'open'],
    [[' 10.0.0.7/8 '], ['10.0.0.0/8'], 'open', []],
    [['10.0.0.0/8', 'fd00::/8'], ['10.0.0.0/8'], ['fd00::/8'], ['fd00::/8']],
    [['10.0.0.0/8', '0.0.0.0/0'], 'open', 'open', []],
    [['10.0.0.0/8', 'bad'], ['10.0.0.0/8'], 'open', []],
    [['10.0.0.0/8', '::/0'], ['10.0.0.0/8'], 'open', 'open'],
  ];

t.test('sourceRangesOf() returns the ranges of each family', async (t) => {
  const texts = (found: ReturnType<typeof sourceRangesOf>) =>
    found === 'open' ? found : found.map(({ text }) => text);
  for (const [ranges, ip, ip6, strict6] of RANGES) {
    const { value } = read({ loadBalancerSourceRanges: ranges });
    const about = JSON.stringify(ranges);
    t.strictSame(texts(sourceRangesOf(value, 'ip', { strict: false })), ip, about);
    t.strictSame(texts(sourceRangesOf(value, 'ip6', { strict: false })), ip6, about);
    t.strictSame(texts(sourceRangesOf(value, 'ip6', { strict: true })), strict6, `${about}, strict`);
  }
  const { value, issues } = read({ loadBalancerSourceRanges: ['bad'] });
  t.strictSame(issues, ['spec.loadBalancerSourceRanges[0] "bad": ignoring this range']);
  t.equal(sourceRangesOf(value, 'ip', { strict: false }), 'open', 'as in kube-proxy');
  t.strictSame(sourceRangesOf(value, 'ip', { strict: true }), [], 'closed to all clients');
});
