// The command `doctor`.
import { type Command, Option } from 'commander';
import type { Check } from '../../doctor/check.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { OperationalError } from '../../lib/operational-error.ts';
import { hostSystem } from '../../migration/leftover-cleaner.ts';
import { conntrackOption, nftOption, outputOption, runDirOption } from '../flags/common-flags.ts';
import { EXIT, type ExitStatus } from '../output/exit-status.ts';
import { type OutputFormat, print, printJson } from '../output/print.ts';

const HELP = `
Nothing is changed. Exit status 0 when there are warnings at most, 1 when there is a problem.`;

interface DoctorFlags {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** `first-last`. */
  readonly nodePortRange: string;
  readonly output: OutputFormat;
}

export function addDoctor(program: Command, { setStatus }: { setStatus: (status: ExitStatus) => void }): void {
  program
    .command('doctor')
    .description('look at this machine: what suits nftlane, what does not, and what to do about it')
    .addOption(new Option('--node-port-range <range>', "the cluster's node ports").default('30000-32767'))
    .addOption(nftOption())
    .addOption(conntrackOption())
    .addOption(runDirOption())
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (flags: DoctorFlags) => setStatus(await doctor(flags)));
}

/** {@link EXIT}.ok when there are warnings at most. */
async function doctor({ nodePortRange, output, ...settings }: DoctorFlags): Promise<ExitStatus> {
  const checks = await runChecks({ ...settings, system: hostSystem, nodePortRange: parsePortRange(nodePortRange) });
  if (output === 'json') printJson({ checks });
  else print(printChecks(checks));
  return checks.some(({ status }) => status === 'problem') ? EXIT.different : EXIT.ok;
}

function parsePortRange(text: string): readonly [number, number] {
  const [first = 0, last = 0] = (/^(\d+)-(\d+)$/.exec(text)?.slice(1) ?? []).map(Number);
  if (first >= 1 && first <= last && last <= 65_535) return [first, last];
  throw new OperationalError('usage', `--node-port-range: "${text}" is no range of ports such as 30000-32767`);
}

/** A line for each check, and its advice below it. */
function printChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, message, advice }) => {
    const line = `${status.padEnd(7)}  ${name.padEnd(width)}  ${message}`;
    return advice === '' ? [line] : [line, `${' '.repeat(width + 11)}→ ${advice}`];
  });
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  return `${lines.join('\n')}\n${count('ok')} ok, ${count('warning')} warnings, ${count('problem')} problems`;
}
