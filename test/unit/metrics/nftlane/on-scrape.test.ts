// Tests of src/metrics/nftlane/on-scrape.ts.

import { Registry } from 'prom-client';
import t from 'tap';
import { counterOnScrape, gaugeOnScrape, single } from '../../../../src/metrics/nftlane/on-scrape.ts';

async function samplesOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

t.test('a metric that is read at each scrape has the current samples', async (t) => {
  for (const register of [gaugeOnScrape, counterOnScrape]) {
    const registry = new Registry();
    const values = new Map([
      ['a', 1],
      ['b', 2],
    ]);
    const samples = () => [...values].map(([kind, value]) => ({ labels: { kind }, value }));
    register(registry, { name: 'test_total', help: 'Test', labelNames: ['kind'], samples });
    t.strictSame(await samplesOf(registry), ['test_total{kind="a"} 1', 'test_total{kind="b"} 2']);
    values.delete('a');
    values.set('b', 3);
    t.strictSame(await samplesOf(registry), ['test_total{kind="b"} 3'], 'a series without a sample disappears');
  }
});

t.test('a metric without labels has no series while its value is unknown', async (t) => {
  for (const register of [gaugeOnScrape, counterOnScrape]) {
    const registry = new Registry();
    let value: number | undefined;
    register(registry, { name: 'test_total', help: 'Test', labelNames: [], samples: () => single(value) });
    t.strictSame(await samplesOf(registry), []);
    value = 0;
    t.strictSame(await samplesOf(registry), ['test_total 0']);
    value = 7;
    t.strictSame(await samplesOf(registry), ['test_total 7']);
    value = undefined;
    t.strictSame(await samplesOf(registry), []);
  }
});
