// The command `lint`.

import type { Command } from 'commander';
import { type LintResult, lintManifests } from '../../admin/lint.ts';
import { printableLine } from '../../lib/printable.ts';
import { formatIssue } from '../../services/objects/validation-issue.ts';
import { outputOption } from '../flags/common-flags.ts';
import { type ParsedFlags, readProxyFlags, withProxyFlags } from '../flags/proxy-flags.ts';
import type { CommandContext } from '../output/command-context.ts';
import { EXIT, type ExitStatus } from '../output/exit-status.ts';
import { type OutputFormat, print, printJson } from '../output/print.ts';

const HELP = `
Neither a kernel nor a daemon is needed. It reports invalid fields, EndpointSlices from which no Service gets endpoints,
Services with the same frontend, and Services that exceed a limit.`;

interface LintFlags extends ParsedFlags {
  readonly file: string;
  readonly output: OutputFormat;
}

export function addLint(program: Command, { setStatus }: CommandContext): void {
  const command = program.command('lint').description('check manifests; exit status 1 if something is wrong');
  withProxyFlags(command)
    .requiredOption('-f, --file <file|dir>', 'manifests; `-` reads standard input')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (flags: LintFlags) => setStatus(await lint(flags)));
}

/** Resolves with {@link EXIT}.different if something is wrong, and {@link EXIT}.input if a file cannot be read. */
async function lint(flags: LintFlags): Promise<ExitStatus> {
  const result = await lintManifests(flags.file, await readProxyFlags(flags));
  if (flags.output === 'json') printJson(result);
  else print(linesOf(result).map(printableLine).join('\n'));
  if (result.unreadable.length > 0) return EXIT.input;
  return result.issues.length + result.conflicts.length + result.limited.length === 0 ? EXIT.ok : EXIT.different;
}

function linesOf({ services, issues, conflicts, limited, unreadable }: LintResult): string[] {
  const lines = [
    ...unreadable,
    ...issues.map(formatIssue),
    ...conflicts.map(
      ({ frontend, winner, losers }) => `Service ${losers.join(', ')}: ${frontend} belongs to ${winner}`,
    ),
    ...limited.map(({ service, reason, effect }) => `Service ${service}: ${reason}: ${effect}`),
  ];
  return [...lines, `${services} Services, ${lines.length === 0 ? 'nothing is wrong' : `${lines.length} problems`}`];
}
