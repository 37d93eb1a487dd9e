// The `render` command.

import { loadEngine, printWarnings } from '../../admin/desired-state.ts';
import { render } from '../../engine/render.ts';
import type { ProxyOptions } from '../../nftables/compile/node-view.ts';

/** Prints the ruleset of manifests on standard output, and what could not be used on standard error. */
export async function printRendered(file: string, proxy: ProxyOptions): Promise<void> {
  const { engine, issues } = await loadEngine(file, proxy);
  printWarnings(issues);
  engine.adopt({ elements: new Map(), chains: [] });
  engine.compile();
  process.stdout.write(render(engine));
}
