// The command that looks at this machine and says what suits us, and what does not.
import type { Check } from '../../doctor/check.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { hostSystem } from '../../migration/leftover-cleaner.ts';

export interface DoctorOptions {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** `first-last`. */
  readonly nodePortRange: string;
  readonly output: 'text' | 'json';
}

/** Ends with status 0 when there are warnings at most, and with 1 when there is a problem. */
export async function doctor({ nodePortRange, output, ...settings }: DoctorOptions): Promise<number> {
  const checks = await runChecks({ ...settings, system: hostSystem, nodePortRange: parsePortRange(nodePortRange) });
  process.stdout.write(output === 'json' ? `${JSON.stringify({ checks }, null, 2)}\n` : printChecks(checks));
  return checks.some(({ status }) => status === 'problem') ? EXIT.different : EXIT.ok;
}

function parsePortRange(text: string): readonly [number, number] {
  const [first = 0, last = 0] = (/^(\d+)-(\d+)$/.exec(text)?.slice(1) ?? []).map(Number);
  if (first >= 1 && first <= last && last <= 65_535) return [first, last];
  throw new CommandError(EXIT.usage, `--node-port-range: "${text}" is no range of ports such as 30000-32767`);
}

/** A line for each check, and its advice below it. */
function printChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, message, advice }) => {
    const line = `${status.padEnd(7)}  ${name.padEnd(width)}  ${message}`;
    return advice === '' ? [line] : [line, `${' '.repeat(width + 11)}→ ${advice}`];
  });
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  return `${lines.join('\n')}\n${count('ok')} ok, ${count('warning')} warnings, ${count('problem')} problems\n`;
}
