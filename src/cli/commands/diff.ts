// The command `diff`.

import type { Command } from 'commander';
import type { CommandStatus } from '../../admin/command-status.ts';
import { loadDesiredState, printWarnings } from '../../admin/desired-state.ts';
import { openNftClient } from '../../admin/kernel-state.ts';
import { type Drift, findDrift, persistentDrift, printDrift } from '../../engine/drift.ts';
import type { NftClient } from '../../nftables/client/nft-client.ts';
import type { ValidationIssue } from '../../services/objects/validation-issue.ts';
import { desiredStateSource, type InspectFlags, withInspectFlags } from '../flags/inspect-flags.ts';
import type { CommandContext } from '../output/command-context.ts';
import { EXIT, type ExitStatus } from '../output/exit-status.ts';
import { printJson, printWithStatus } from '../output/print.ts';

const HELP = `
Lines with + are desired and missing in the kernel; lines with - are only in the kernel. The first line says what was
compared; without differences, there are no others. If no daemon answers, the last known state is compared, and the exit
status is 3.`;

export function addDiff(program: Command, { setStatus }: CommandContext): void {
  withInspectFlags(program.command('diff'))
    .description('compare the desired ruleset with the kernel; exit status 1 if they differ')
    .addHelpText('after', HELP)
    .action(async (flags: InspectFlags) => setStatus(await diff(flags)));
}

/** Resolves with {@link EXIT}.different if the kernel differs from the desired state. */
async function diff(flags: InspectFlags): Promise<ExitStatus> {
  const nftClient = await openNftClient(flags.nft);
  const first = await compare(flags, nftClient);
  // Twice, unless they are equal: the daemon may be committing a change.
  const { drift: second, status } = first.drift.length === 0 ? first : await compare(flags, nftClient);
  const drift = persistentDrift(first.drift, second);
  if (flags.output === 'json') printJson({ status, drift });
  else printWithStatus(status, printDrift(drift));
  if (flags.file !== undefined && flags.output !== 'json') printWarnings(first.issues);
  // A state file may be older than the kernel, so equality means little, and so does a difference.
  if (status.answersFrom === 'state-file') return EXIT.environment;
  return drift.length === 0 ? EXIT.ok : EXIT.different;
}

interface Comparison {
  readonly drift: Drift[];
  readonly issues: readonly ValidationIssue[];
  readonly status: CommandStatus;
}

async function compare(flags: InspectFlags, nftClient: NftClient): Promise<Comparison> {
  const listing = await nftClient.list();
  const { engine, issues, status } = await loadDesiredState(desiredStateSource(flags), listing);
  return { drift: findDrift(engine, listing), issues, status };
}
