// The command `doctor`.

import { type Command, Option } from 'commander';
import { askDaemon, knownState } from '../../admin/ask-daemon.ts';
import type { Check } from '../../doctor/check.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { hostSystem } from '../../host/process/system.ts';
import { OperationalError } from '../../lib/operational-error.ts';
import { joinLines } from '../../lib/printable.ts';
import { conntrackOption, nftOption, outputOption, runDirOption } from '../flags/common-flags.ts';
import type { CommandContext } from '../output/command-context.ts';
import { EXIT, type ExitStatus } from '../output/exit-status.ts';
import { type OutputFormat, printJson, printWithStatus } from '../output/print.ts';

const HELP = `
The command changes nothing. The exit status is 1 if there is a problem, and 0 otherwise, even with warnings.`;

interface DoctorFlags {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** `first-last`. */
  readonly nodePortRange: string;
  readonly output: OutputFormat;
}

export function addDoctor(program: Command, { setStatus }: CommandContext): void {
  program
    .command('doctor')
    .description('check this machine for problems and suggest fixes')
    .addOption(new Option('--node-port-range <range>', 'node port range of the cluster').default('30000-32767'))
    .addOption(nftOption())
    .addOption(conntrackOption())
    .addOption(runDirOption())
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (flags: DoctorFlags) => setStatus(await doctor(flags)));
}

/** Resolves with {@link EXIT}.different if there is a problem; warnings do not count. */
async function doctor({ nodePortRange, output, ...settings }: DoctorFlags): Promise<ExitStatus> {
  const range = parsePortRange(nodePortRange);
  const daemon = await askDaemon(settings.runDir);
  const checks = await runChecks({ ...settings, system: hostSystem, daemon, nodePortRange: range });
  const { status } = knownState(daemon);
  if (output === 'json') printJson({ status, checks });
  else printWithStatus(status, printChecks(checks));
  return checks.some(({ status }) => status === 'problem') ? EXIT.different : EXIT.ok;
}

function parsePortRange(text: string): readonly [number, number] {
  const [first = 0, last = 0] = (/^(\d+)-(\d+)$/.exec(text)?.slice(1) ?? []).map(Number);
  if (first >= 1 && first <= last && last <= 65_535) return [first, last];
  throw new OperationalError('usage', `Cannot use --node-port-range "${text}": not a port range such as 30000-32767`);
}

/** One line per check, followed by its advice. */
function printChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, message, advice }) => {
    const line = `${status.padEnd(7)}  ${name.padEnd(width)}  ${message}`;
    return advice === '' ? [line] : [line, `${' '.repeat(width + 11)}→ ${advice}`];
  });
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  const plural = (status: Check['status']) => `${count(status)} ${status}${count(status) === 1 ? '' : 's'}`;
  return `${joinLines(lines)}\n${count('ok')} ok, ${plural('warning')}, ${plural('problem')}`;
}
