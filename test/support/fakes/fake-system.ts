// A System with prepared files and program outputs.

import { ExecError, type ExecResult } from '../../../src/host/process/exec.ts';
import type { System, SystemRunOptions } from '../../../src/host/process/system.ts';

/** A program without prepared output does not exist. */
export class FakeSystem implements System {
  readonly files = new Map<string, string>();
  /** The standard output of a program, by its command line or its name. */
  readonly programs = new Map<string, string | ((args: readonly string[], input: string) => string)>();
  /** All command lines so far. */
  readonly ran: string[] = [];

  readonly read = async (path: string): Promise<string> => this.files.get(path) ?? '';

  readonly run = async (
    command: string,
    args: readonly string[],
    options: SystemRunOptions = {},
  ): Promise<ExecResult> => {
    const line = [command, ...args].join(' ');
    this.ran.push(line);
    const answer = this.programs.get(line) ?? this.programs.get(command);
    if (answer === undefined) throw new ExecError(`Cannot run "${command}"`, { kind: 'not-found' });
    const stdout = typeof answer === 'string' ? answer : answer(args, [options.input ?? []].flat().join(''));
    if (options.onLine === undefined) return { status: 0, stdout, stderr: '' };
    for (const text of stdout.split('\n')) options.onLine(text);
    return { status: 0, stdout: '', stderr: '' };
  };
}
