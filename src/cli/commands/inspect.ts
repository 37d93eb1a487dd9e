// The commands that show and compare what the kernel holds.

import { askDaemon, type LiveSource, openLive } from '../../admin/live.ts';
import { alteredDrift, findDrift, printDrift } from '../../engine/drift.ts';
import { printFastPath } from '../../fastpath/status/status.ts';
import { printServices } from '../../inspect/print-services.ts';
import { printRuleset, viewRuleset } from '../../inspect/ruleset-view.ts';
import { viewServices } from '../../inspect/service-view.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { Kernel } from '../../nftables/client/kernel.ts';
import { allObjects } from '../../nftables/compile/objects.ts';
import { describeFinding } from '../../services/objects/finding.ts';

export interface InspectSettings {
  readonly source: LiveSource;
  readonly nft: string;
  readonly output: 'text' | 'json';
}

/** `inspect services [NS/NAME]`. */
export async function inspectServices(settings: InspectSettings, wanted: string | undefined): Promise<number> {
  const kernel = await openKernel(settings.nft);
  const counted = await kernel.count(allObjects());
  const { engine, findings } = await openLive(settings.source, heldOf(counted));
  const services = viewServices(engine, counted, wanted);
  if (wanted !== undefined && services.length === 0) throw unknownService(wanted, findings);
  const concerned = findings.filter(({ object }) => wanted === undefined || object.endsWith(` ${wanted}`));
  if (settings.output === 'json') return printJson({ services, findings: concerned, collisions: engine.collisions() });
  const warnings = concerned.map((finding) => `warning: ${describeFinding(finding)}`);
  return print([printServices(services) || 'no Services', ...warnings].join('\n'));
}

/** `inspect ruleset [--service NS/NAME]`. */
export async function inspectRuleset(settings: InspectSettings, service: string | undefined): Promise<number> {
  const kernel = await openKernel(settings.nft);
  const counted = await kernel.count(allObjects());
  const { engine } = await openLive(settings.source, heldOf(counted));
  const view = viewRuleset(counted, (family) => engine.chains(family).chains, service);
  if (service !== undefined && view.objects.length === 0) throw unknownService(service, []);
  return settings.output === 'json' ? printJson(view) : print(printRuleset(view).trimEnd());
}

/** `inspect fastpath`. */
export async function inspectFastPath({
  runDir,
  output,
}: {
  readonly runDir: string;
  readonly output: InspectSettings['output'];
}): Promise<number> {
  const { fastPath } = await askDaemon(runDir, { orManifests: false });
  if (fastPath === undefined) throw new CommandError(EXIT.environment, 'Cannot tell: the daemon is an older version');
  return output === 'json' ? printJson(fastPath) : print(printFastPath(fastPath));
}

/** `diff`: ends with {@link EXIT}.different when the kernel holds something else than is wanted. */
export async function diff(settings: InspectSettings): Promise<number> {
  const kernel = await openKernel(settings.nft);
  const listing = await kernel.list();
  const { engine } = await openLive(settings.source, listing);
  const drift = [...findDrift(engine, listing), ...alteredDrift(engine, await kernel.ruleCounts())];
  if (settings.output === 'json') printJson({ drift });
  else if (drift.length > 0) print(printDrift(drift));
  return drift.length === 0 ? EXIT.ok : EXIT.different;
}

async function openKernel(nft: string): Promise<Kernel> {
  const kernel = new Kernel({ command: nft });
  await kernel.check();
  return kernel;
}

/** A counted listing as the engine adopts it. Chains do not matter here: nothing is written. */
function heldOf(counted: Awaited<ReturnType<Kernel['count']>>) {
  const elements = new Map(
    [...counted].map(([object, listed]) => [object, new Map(listed.map((element) => [element.key, element]))] as const),
  );
  return { elements, chains: [] };
}

function unknownService(
  service: string,
  findings: readonly { readonly object: string; readonly reason: string }[],
): CommandError {
  const reason = findings.find(({ object }) => object === `Service ${service}`)?.reason;
  const why = reason === undefined ? 'there is no such Service here, or it is not proxied' : reason;
  return new CommandError(EXIT.input, `Cannot show "${service}": ${why}`);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function printJson(value: unknown): number {
  return print(JSON.stringify(value, null, 2));
}
