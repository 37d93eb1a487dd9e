// The commands that show and compare what the kernel holds.

import { type DesiredStateSource, fetchDaemonState, loadDesiredState } from '../../admin/desired-state.ts';
import { findDrift, modifiedChainDrift, printDrift } from '../../engine/drift.ts';
import { printFastPathStatus } from '../../fastpath/status/fast-path-status.ts';
import { printServices } from '../../inspect/print-services.ts';
import { printRuleset, viewRuleset } from '../../inspect/ruleset-view.ts';
import { viewServices } from '../../inspect/service-view.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { NftClient } from '../../nftables/client/nft-client.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';
import { formatIssue } from '../../services/objects/validation-issue.ts';

export interface InspectOptions {
  readonly source: DesiredStateSource;
  readonly nft: string;
  readonly output: 'text' | 'json';
}

/** `inspect services [NS/NAME]`. */
export async function inspectServices(options: InspectOptions, service: string | undefined): Promise<number> {
  const nftClient = await openNftClient(options.nft);
  const counted = await nftClient.listElements(allSetsAndMaps());
  const { engine, issues } = await loadDesiredState(options.source, toListing(counted));
  const services = viewServices(engine, counted, service);
  if (service !== undefined && services.length === 0) throw unknownService(service, issues);
  const serviceIssues = issues.filter(({ object }) => service === undefined || object.endsWith(` ${service}`));
  if (options.output === 'json') return printJson({ services, issues: serviceIssues, conflicts: engine.conflicts() });
  const warnings = serviceIssues.map((issue) => `warning: ${formatIssue(issue)}`);
  return print([printServices(services) || 'no Services', ...warnings].join('\n'));
}

/** `inspect ruleset [--service NS/NAME]`. */
export async function inspectRuleset(options: InspectOptions, service: string | undefined): Promise<number> {
  const nftClient = await openNftClient(options.nft);
  const counted = await nftClient.listElements(allSetsAndMaps());
  const { engine } = await loadDesiredState(options.source, toListing(counted));
  const view = viewRuleset(counted, (family) => engine.chains(family).chains, service);
  if (service !== undefined && view.objects.length === 0) throw unknownService(service, []);
  return options.output === 'json' ? printJson(view) : print(printRuleset(view).trimEnd());
}

/** `inspect fastpath`. */
export async function inspectFastPath({
  runDir,
  output,
}: {
  readonly runDir: string;
  readonly output: InspectOptions['output'];
}): Promise<number> {
  const { fastPath } = await fetchDaemonState(runDir, { orManifests: false });
  if (fastPath === undefined) throw new CommandError(EXIT.environment, 'Cannot tell: the daemon is an older version');
  return output === 'json' ? printJson(fastPath) : print(printFastPathStatus(fastPath));
}

/** `diff`: ends with {@link EXIT}.different when the kernel holds something else than is wanted. */
export async function diff(options: InspectOptions): Promise<number> {
  const nftClient = await openNftClient(options.nft);
  const listing = await nftClient.list();
  const { engine } = await loadDesiredState(options.source, listing);
  const drift = [...findDrift(engine, listing), ...modifiedChainDrift(engine, await nftClient.ruleCounts())];
  if (options.output === 'json') printJson({ drift });
  else if (drift.length > 0) print(printDrift(drift));
  return drift.length === 0 ? EXIT.ok : EXIT.different;
}

async function openNftClient(nft: string): Promise<NftClient> {
  const nftClient = new NftClient({ command: nft });
  await nftClient.check();
  return nftClient;
}

/** A counted listing as the engine adopts it. Chains do not matter here: nothing is written. */
function toListing(counted: Awaited<ReturnType<NftClient['listElements']>>) {
  const elements = new Map(
    [...counted].map(([object, listed]) => [object, new Map(listed.map((element) => [element.key, element]))] as const),
  );
  return { elements, chains: [] };
}

function unknownService(
  service: string,
  issues: readonly { readonly object: string; readonly reason: string }[],
): CommandError {
  const reason = issues.find(({ object }) => object === `Service ${service}`)?.reason;
  const explanation = reason === undefined ? 'there is no such Service here, or it is not proxied' : reason;
  return new CommandError(EXIT.input, `Cannot show "${service}": ${explanation}`);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function printJson(value: unknown): number {
  return print(JSON.stringify(value, null, 2));
}
