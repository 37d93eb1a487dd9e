// Tests of src/metrics/nftlane/hold-metrics.ts.

import { Registry } from 'prom-client';
import t from 'tap';
import { registerHoldMetrics } from '../../../../src/metrics/nftlane/hold-metrics.ts';

t.test('registerHoldMetrics() reads the counts at each scrape', async (t) => {
  const registry = new Registry();
  let counts: { heldServices: number; holds: number } | undefined;
  registerHoldMetrics(registry, () => counts);
  t.notMatch(await registry.metrics(), /^nftlane_/m);
  counts = { heldServices: 35, holds: 2 };
  const text = await registry.metrics();
  t.match(text, /^nftlane_held_services 35$/m);
  t.match(text, /^nftlane_service_loss_holds_total 2$/m);
});
