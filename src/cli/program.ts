// The command line: assembles the commands and turns what they end with into an exit status.
import { Command, CommanderError } from 'commander';
import { errorMessage } from '../lib/error-message.ts';
import { VERSION } from '../lib/version.ts';
import { normaliseArguments } from './flags/config-flags.ts';
import { EXIT, type ExitStatus, exitStatusOf } from './output/exit-status.ts';

/** What a command may use besides its flags. */
interface CommandContext {
  /** Asks a daemon to stop. */
  readonly signal: AbortSignal;
  /** Sets the exit status of a command that succeeds. */
  readonly setStatus: (status: ExitStatus) => void;
}

type AddCommand = (program: Command, context: CommandContext) => void;

/** The commands in the order of the help. Only the command that is called is loaded: loading all of them takes longer. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import('./commands/run.ts')).addRun,
  render: async () => (await import('./commands/render.ts')).addRender,
  inspect: async () => (await import('./commands/inspect.ts')).addInspect,
  diff: async () => (await import('./commands/diff.ts')).addDiff,
  explain: async () => (await import('./commands/explain.ts')).addExplain,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  cleanup: async () => (await import('./commands/cleanup.ts')).addCleanup,
  version: async () => (await import('./commands/version.ts')).addVersion,
};

const EXIT_HELP = `
Exit status: 0 done; 1 the answer is no (diff found a difference, doctor a problem); 2 wrong command line;
3 this machine cannot run it (nft, privileges, another daemon); 4 input that cannot be read; 5 anything else.`;

/** Runs the command that `args` name and resolves with the exit status. `signal` asks a daemon to stop. */
export async function runCli(args: readonly string[], signal: AbortSignal): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.ok;
  const setStatus = (result: ExitStatus): void => {
    status = result;
  };
  try {
    const program = await buildProgram(args[0], { signal, setStatus });
    await program.parseAsync(normaliseArguments(args), { from: 'user' });
    return status;
  } catch (error) {
    return reportError(error);
  }
}

/** Without a known command all of them are added, for the help and for suggestions. */
async function buildProgram(command: string | undefined, context: CommandContext): Promise<Command> {
  const program = new Command('nftlane')
    .description('Service proxy for Linux nodes: Kubernetes Services as elements of a few nftables maps')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError()
    .exitOverride();
  const isKnown = command !== undefined && Object.hasOwn(COMMANDS, command);
  for (const [name, load] of Object.entries(COMMANDS)) {
    if (!isKnown || name === command) (await load())(program, context);
  }
  return program;
}

/** Commander has printed its own errors already. */
function reportError(error: unknown): ExitStatus {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  process.stderr.write(`nftlane: ${errorMessage(error)}\n`);
  return exitStatusOf(error);
}
