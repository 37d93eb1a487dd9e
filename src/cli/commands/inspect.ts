// The commands `inspect services`, `inspect ruleset` and `inspect fastpath`.

import type { Command } from 'commander';
import type { CommandStatus } from '../../admin/command-status.ts';
import { loadDesiredState, loadKnownState } from '../../admin/desired-state.ts';
import { openNftClient, toListing } from '../../admin/kernel-state.ts';
import { desiredListing, isOffline, offlineStatus } from '../../admin/offline.ts';
import { type Drift, findDrift } from '../../engine/drift.ts';
import type { Engine } from '../../engine/engine.ts';
import { printFastPathStatus } from '../../fastpath/status/print-status.ts';
import { printServices } from '../../inspect/print-services.ts';
import { printRuleset, viewRuleset } from '../../inspect/ruleset-view.ts';
import { viewServices, viewSkippedServices } from '../../inspect/service-view.ts';
import { EnvironmentError, OperationalError } from '../../lib/operational-error.ts';
import { printableLine } from '../../lib/printable.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';
import { formatIssue, type ValidationIssue } from '../../services/objects/validation-issue.ts';
import { outputOption, runDirOption } from '../flags/common-flags.ts';
import { desiredStateSource, type InspectFlags, withInspectFlags } from '../flags/inspect-flags.ts';
import { printJson, printWithStatus } from '../output/print.ts';

export function addInspect(program: Command): void {
  const inspect = program.command('inspect').description('show the state of the kernel and the reasons for it');
  withInspectFlags(inspect.command('services [namespace/name]'))
    .description('show frontends, endpoints with slot, share and connection count, and why an endpoint is excluded')
    .action((service: string | undefined, flags: InspectFlags) => inspectServices(flags, service));
  withInspectFlags(inspect.command('ruleset'))
    .description('show the sets, maps and chains in the kernel')
    .option('--service <namespace/name>', 'show only the elements of this Service and the chains that they refer to')
    .action((flags: InspectFlags & { service?: string }) => inspectRuleset(flags, flags.service));
  inspect
    .command('fastpath')
    .description('show which frontends use the fast path, where it is attached, and why others do not use it')
    .addOption(runDirOption())
    .addOption(outputOption())
    .action(inspectFastPath);
}

async function inspectServices(flags: InspectFlags, service: string | undefined): Promise<void> {
  const { engine, issues, counted, drift, status } = await readKernel(flags);
  const services = viewServices(engine, counted, service);
  const notProxied = viewSkippedServices(engine, service);
  if (service !== undefined && services.length + notProxied.length === 0)
    throw unknownService(service, { issues, status });
  const serviceIssues = service === undefined ? issues : issuesOf(service, { issues, engine });
  if (flags.output === 'json') {
    printJson({
      status,
      services,
      notProxied,
      issues: serviceIssues,
      conflicts: engine.conflicts(),
      drift: drift.length,
    });
    return;
  }
  const issueWarnings = serviceIssues.map((issue) => printableLine(`warning: ${formatIssue(issue)}`));
  const warnings = [...driftWarnings(drift), ...issueWarnings];
  printWithStatus(status, [printServices(services, notProxied) || 'no Services', ...warnings].join('\n'));
}

/** Those of the Service, of its slices, and of others that seem to be meant for it. */
function issuesOf(
  service: string,
  { issues, engine }: { readonly issues: readonly ValidationIssue[]; readonly engine: Engine },
): ValidationIssue[] {
  const slices = [...engine.store.slicesOf(service)].map(({ key }) => `EndpointSlice ${key}`);
  const objects = new Set([`Service ${service}`, ...slices]);
  return issues.filter((issue) => issue.service === service || objects.has(issue.object));
}

async function inspectRuleset(flags: InspectFlags, service: string | undefined): Promise<void> {
  const { issues, tables, counted, drift, status } = await readKernel(flags);
  const view = viewRuleset(counted, tables, service);
  if (service !== undefined && view.objects.length === 0) throw unknownService(service, { issues, status });
  if (flags.output === 'json') printJson({ status, ...view, drift: drift.length });
  else printWithStatus(status, [printRuleset(view).trimEnd(), ...driftWarnings(drift)].join('\n'));
}

/** The kernel with what it should have. Where nftlane does not run, that is what it would have. */
async function readKernel(flags: InspectFlags) {
  const nftClient = await openNftClient(flags.nft);
  const tables = await nftClient.listTables();
  const counted = await nftClient.listElements(allSetsAndMaps());
  const state = await loadDesiredState(desiredStateSource(flags), toListing(counted, tables));
  if (await isOffline(flags, tables))
    return { ...state, tables, counted: desiredListing(state.engine), drift: [], status: offlineStatus(state.status) };
  return { ...state, tables, counted, drift: findDrift(state.engine, toListing(counted, tables)) };
}

/** What is shown is that of the kernel; a comment in nft's syntax says whether it should be. */
function driftWarnings(drift: readonly Drift[]): string[] {
  if (drift.length === 0) return [];
  return [`# warning: the kernel differs from the desired ruleset (${drift.length} differences, see nftlane diff)`];
}

async function inspectFastPath({ runDir, output }: Pick<InspectFlags, 'runDir' | 'output'>): Promise<void> {
  const { state, status } = await loadKnownState(runDir, { suggestManifests: false });
  const { fastPath } = state;
  if (fastPath === undefined)
    throw new EnvironmentError('Cannot inspect fast path: the running daemon is an older version');
  if (output === 'json') printJson({ status, ...fastPath });
  else printWithStatus(status, printFastPathStatus(fastPath));
}

interface KnownServices {
  readonly issues: readonly ValidationIssue[];
  readonly status: CommandStatus;
}

/** An API server does not send Services that are not proxied. */
function unknownService(service: string, { issues, status }: KnownServices): OperationalError {
  const reason = issues.find(({ object }) => object === `Service ${service}`)?.reason;
  const isComplete = status.source.startsWith('manifests');
  const absent = isComplete ? 'no such Service' : 'no such Service, or one that is headless or selects another proxy';
  const explanation = reason ?? absent;
  return new OperationalError('input', `Cannot show Service "${service}": ${explanation}`);
}
