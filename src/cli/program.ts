// The command line: assembles the commands and maps their outcome to an exit status.

import { Command, CommanderError } from 'commander';
import { errorMessage } from '../lib/error-message.ts';
import { VERSION } from '../lib/version.ts';
import { normalizeArguments } from './flags/config-flags.ts';
import type { CommandContext } from './output/command-context.ts';
import { EXIT, type ExitStatus, exitStatusOf } from './output/exit-status.ts';

type AddCommand = (program: Command, context: CommandContext) => void;

/** The commands in the order of the help text. Only the requested command is loaded, to keep start-up short. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import('./commands/run.ts')).addRun,
  render: async () => (await import('./commands/render.ts')).addRender,
  lint: async () => (await import('./commands/lint.ts')).addLint,
  inspect: async () => (await import('./commands/inspect.ts')).addInspect,
  diff: async () => (await import('./commands/diff.ts')).addDiff,
  explain: async () => (await import('./commands/explain.ts')).addExplain,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  'accept-loss': async () => (await import('./commands/accept-loss.ts')).addAcceptLoss,
  cleanup: async () => (await import('./commands/cleanup.ts')).addCleanup,
  version: async () => (await import('./commands/version.ts')).addVersion,
};

const EXIT_HELP = `
Exit status: 0 success; 1 diff found a difference, or doctor or lint a problem; 2 invalid command line; 3 unsuitable
environment (nft, privileges, another daemon); 4 unreadable input; 5 any other failure.`;

/** Runs the command named by `args` and resolves with the exit status. `signal` stops a running daemon. */
export async function runCli(args: readonly string[], signal: AbortSignal): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.ok;
  const setStatus = (result: ExitStatus): void => {
    status = result;
  };
  try {
    const program = await buildProgram(args[0], { signal, setStatus });
    await program.parseAsync(normalizeArguments(args), { from: 'user' });
    return status;
  } catch (error) {
    return reportError(error);
  }
}

/** Adds all commands unless `command` is known: the help text and suggestions list them all. */
async function buildProgram(command: string | undefined, context: CommandContext): Promise<Command> {
  const program = new Command('nftlane')
    .description('Service proxy for Linux nodes: Kubernetes Services as elements of a few nftables maps')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('Use --help to list commands and options.')
    .exitOverride();
  const isKnown = command !== undefined && Object.hasOwn(COMMANDS, command);
  for (const [name, load] of Object.entries(COMMANDS)) {
    if (!isKnown || name === command) (await load())(program, context);
  }
  return program;
}

/** Commander has already printed its own errors. */
function reportError(error: unknown): ExitStatus {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  process.stderr.write(`nftlane: ${errorMessage(error)}\n`);
  return exitStatusOf(error);
}
