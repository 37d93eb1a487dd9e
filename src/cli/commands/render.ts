// The command `render`.

import type { Command } from 'commander';
import { printStatus, statusOfManifests } from '../../admin/command-status.ts';
import { loadEngine, printWarnings } from '../../admin/desired-state.ts';
import { render } from '../../engine/render.ts';
import type { ProxyOptions } from '../../nftables/compile/node-view.ts';
import { type ParsedFlags, readProxyFlags, withProxyFlags } from '../flags/proxy-flags.ts';

export function addRender(program: Command): void {
  const command = program.command('render').description('print the ruleset for manifests, as input for `nft -f`');
  withProxyFlags(command)
    .requiredOption('-f, --file <file|dir>', 'manifests; `-` reads standard input')
    .action(async (flags: ParsedFlags & { file: string }) => printRendered(flags.file, await readProxyFlags(flags)));
}

/** Prints the ruleset to standard output and warnings about the manifests to standard error. */
async function printRendered(file: string, proxy: ProxyOptions): Promise<void> {
  const listing = { elements: new Map(), chains: [] };
  const { engine, issues } = await loadEngine(file, { options: proxy, listing });
  printWarnings(issues);
  process.stdout.write(`${printStatus(statusOfManifests(file, proxy.nodeName))}\n${render(engine)}`);
}
