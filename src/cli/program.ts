// The command line: what commands there are, and which flags each takes. Each command is loaded when it is called for.
import { Command, CommanderError, Option } from 'commander';
import { ConfigurationError } from '../config/schema/configuration-error.ts';
import { DEFAULT_LOADER, DEFAULT_PIN_DIR, DEFAULT_RUN_DIR } from '../config/schema/nftlane-schema.ts';
import { errorMessage } from '../lib/error-message.ts';
import { CommandError, EXIT } from '../lib/exit-status.ts';
import { VERSION } from '../lib/version.ts';
import { NftUnavailable } from '../nftables/client/nft-error.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { InspectOptions } from './commands/inspect.ts';
import { addRun } from './commands/run-command.ts';
import { normaliseArguments } from './flags/config-flags.ts';
import { type ParsedFlags, readProxyFlags, withProxyFlags } from './flags/proxy-flags.ts';

const EXIT_HELP = `
Exit status: 0 done; 1 the answer is no (diff found a difference, doctor a problem); 2 wrong command line;
3 this machine cannot run it (nft, privileges, another daemon); 4 input that cannot be read; 5 anything else.`;

/** Runs the command that `args` name and resolves with the exit status. `signal` asks a daemon to stop. */
export async function runCli(args: readonly string[], signal: AbortSignal): Promise<number> {
  let status: number = EXIT.ok;
  const program = buildProgram(signal, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(normaliseArguments(args), { from: 'user' });
    return status;
  } catch (error) {
    return reportError(error);
  }
}

/** One message for each kind of end, and its status. */
function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const message = errorMessage(error);
  process.stderr.write(`nftlane: ${message}\n`);
  if (error instanceof CommandError) return error.status;
  if (error instanceof NftUnavailable) return EXIT.environment;
  const name = error instanceof Error ? error.name : '';
  if (error instanceof ConfigurationError) return error.isFromFlags ? EXIT.usage : EXIT.input;
  if (name === 'AdminSocketError' || name === 'ListenError' || name === 'FastPathUnusable') return EXIT.environment;
  if (name === 'ManifestError' || name === 'ClusterConfigError') return EXIT.input;
  return EXIT.failure;
}

type SetStatus = (status: number) => void;

function buildProgram(signal: AbortSignal, setStatus: SetStatus): Command {
  const program = new Command('nftlane')
    .description('Service proxy for Linux nodes: Kubernetes Services as elements of a few nftables maps')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError()
    .exitOverride();
  addRun(program, signal);
  addRender(program);
  addInspect(program, setStatus);
  addDiff(program, setStatus);
  addExplain(program, setStatus);
  addDoctor(program, setStatus);
  program
    .command('cleanup')
    .description('remove every trace of nftlane from this network namespace')
    .option('--kube-proxy', 'and every trace of kube-proxy, whichever mode it had', false)
    .addOption(nftOption())
    .addOption(runDirOption())
    .addOption(conntrackOption())
    .addOption(
      new Option('--fast-path-dir <dir>', 'where the fast path is pinned')
        .env('NFTLANE_FAST_PATH_DIR')
        .default(DEFAULT_PIN_DIR),
    )
    .option('--fast-path-program <program>', 'what loads the fast path', DEFAULT_LOADER)
    .action(async ({ fastPathDir: directory, fastPathProgram: program, ...flags }: CleanupFlags) =>
      (await import('./commands/cleanup.ts')).cleanup({ ...flags, fastPath: { directory, program } }),
    );
  program
    .command('version')
    .description('print the version')
    .action(() => void process.stdout.write(`nftlane ${VERSION}\n`));
  return program;
}

interface CleanupFlags {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  readonly kubeProxy: boolean;
  readonly fastPathDir: string;
  readonly fastPathProgram: string;
}

function addRender(program: Command): void {
  const command = program.command('render').description('print the ruleset that manifests would give, for `nft -f`');
  withProxyFlags(command)
    .requiredOption('-f, --file <file|dir>', 'manifests; `-` for standard input')
    .action(async (flags: ParsedFlags & { file: string }) => {
      const { printRendered } = await import('./commands/render.ts');
      await printRendered(flags.file, readProxyFlags(flags));
    });
}

function addInspect(program: Command, setStatus: SetStatus): void {
  const inspect = program.command('inspect').description('show what is in the kernel, and why');
  withInspectFlags(inspect.command('services [namespace/name]'))
    .description('frontends, endpoints with slot, share and connections, and why an endpoint is out')
    .action(async (service: string | undefined, flags: InspectFlags) =>
      setStatus(await (await import('./commands/inspect.ts')).inspectServices(inspectOptions(flags), service)),
    );
  withInspectFlags(inspect.command('ruleset'))
    .description('our sets, maps and chains as the kernel holds them')
    .option('--service <namespace/name>', "only this Service's elements, and the chains that they lead to")
    .action(async (flags: InspectFlags & { service?: string }) =>
      setStatus(await (await import('./commands/inspect.ts')).inspectRuleset(inspectOptions(flags), flags.service)),
    );
  inspect
    .command('fastpath')
    .description('what takes the fast path, where it is attached, and why not')
    .addOption(runDirOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(async ({ runDir, output }: Pick<InspectFlags, 'runDir' | 'output'>) =>
      setStatus(await (await import('./commands/inspect.ts')).inspectFastPath({ runDir, output })),
    );
}

function addDiff(program: Command, setStatus: SetStatus): void {
  withInspectFlags(program.command('diff'))
    .description('compare what is wanted with what the kernel holds; status 1 when they differ')
    .action(async (flags: InspectFlags) =>
      setStatus(await (await import('./commands/inspect.ts')).diff(inspectOptions(flags))),
    );
}

const EXPLAIN_HELP = `
A connection is FORWARDED, REFUSED, DROPPED or UNTOUCHED (no Service has anything to do with it); the exit status
is 0 whichever it is. IPv6: nftlane explain fd00::5 '[fd00:30::10]:80'. Chains and elements are those that the
kernel holds; the rules of a chain are taken as this version writes them, and only their number is checked. What
affinity remembers is not looked up.`;

function addExplain(program: Command, setStatus: SetStatus): void {
  withInspectFlags(program.command('explain <source> <destination>'))
    .description('say what becomes of a connection, and why: explain 10.1.1.5 172.30.0.10:80/tcp')
    .option('--from-host', 'a process of this node makes the connection', false)
    .option('-i, --interface <name>', 'the interface that it comes in by (default: the one that leads to its source)')
    .addHelpText('after', EXPLAIN_HELP)
    .action(async (source: string, target: string, flags: ExplainFlags) => {
      const { explainConnection } = await import('./commands/explain.ts');
      const settings = { ...inspectOptions(flags), fromHost: flags.fromHost, inInterface: flags.interface };
      setStatus(await explainConnection(settings, source, target));
    });
}

const DOCTOR_HELP = `
Nothing is changed. Exit status 0 when there are warnings at most, 1 when there is a problem.`;

function addDoctor(program: Command, setStatus: SetStatus): void {
  program
    .command('doctor')
    .description('look at this machine: what suits nftlane, what does not, and what to do about it')
    .option('--node-port-range <range>', "the cluster's node ports", '30000-32767')
    .addOption(nftOption())
    .addOption(conntrackOption())
    .addOption(runDirOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', DOCTOR_HELP)
    .action(async (flags: DoctorOptions) => setStatus(await (await import('./commands/doctor.ts')).doctor(flags)));
}

interface ExplainFlags extends InspectFlags {
  readonly fromHost: boolean;
  readonly interface?: string;
}

interface InspectFlags extends ParsedFlags {
  readonly file?: string;
  readonly runDir: string;
  readonly nft: string;
  readonly output: 'text' | 'json';
}

function withInspectFlags(command: Command): Command {
  return withProxyFlags(command)
    .option('-f, --file <file|dir>', 'take the wanted state from manifests instead of the running daemon')
    .addOption(runDirOption())
    .addOption(nftOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
}

function inspectOptions(flags: InspectFlags): InspectOptions {
  const { file, runDir, nft, output } = flags;
  return { source: { file, runDir, proxy: () => readProxyFlags(flags) }, nft, output };
}

function nftOption(): Option {
  return new Option('--nft <program>', 'the nft to use, 1.1 or newer').env('NFTLANE_NFT').default('nft');
}

function conntrackOption(): Option {
  const option = new Option('--conntrack <program>', 'the conntrack that removes stale UDP flows');
  return option.env('NFTLANE_CONNTRACK').default('conntrack');
}

function runDirOption(): Option {
  return new Option('--run-dir <dir>', 'where the socket for inspection is').default(DEFAULT_RUN_DIR);
}
