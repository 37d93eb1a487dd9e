// The command `run`: its flags, and which of its jobs it is asked to do.
import { type Command, Option } from 'commander';
import { describeProblem } from '../../config/schema/configuration-error.ts';
import type { LoadedSettings, Settings } from '../../config/settings.ts';
import { createLog, type Log } from '../../host/log.ts';
import { OperationalError } from '../../lib/operational-error.ts';
import { withConfigFlags } from '../flags/config-flags.ts';
import { RUN_FLAGS } from '../flags/flag-table.ts';
import { loadSettings, type ParsedFlags, withProxyFlags } from '../flags/proxy-flags.ts';

interface RunFlags extends ParsedFlags {
  readonly writeConfigTo?: string;
  readonly cleanup?: boolean;
  readonly initOnly?: boolean;
  readonly manifests?: string;
  readonly kubeconfig?: string;
}

const HELP = `
With --config, flags that are given go before what the file says, and the log says so. The file is watched: what can be
changed at work is, the rest ends the process with status 0 so that it is started again. Flags of kube-proxy without a
meaning here are accepted.`;

/** Adds the command. */
export function addRun(program: Command, { signal }: { signal: AbortSignal }): void {
  const command = program
    .command('run')
    .description('keep the kernel in step with Services, from manifests or an API server');
  withConfigFlags(withProxyFlags(command), RUN_FLAGS)
    .option('--master <url>', 'the API server, in place of the one that the kubeconfig names')
    .option('--write-config-to <file>', 'write the configuration with its defaults to a file, and end')
    .option('--cleanup', 'remove every trace from the kernel, and end, as the command cleanup')
    .option('--init-only', 'set the kernel settings, load the programs of the fast path if that is wanted, and end')
    .addOption(new Option('--healthz-port <port>').hideHelp())
    .addOption(new Option('--metrics-port <port>').hideHelp())
    .addOption(new Option('--boot-id-file <file>').hideHelp())
    .addOption(new Option('--machine-id-file <file>').hideHelp())
    .addOption(new Option('--vmodule <patterns>').hideHelp())
    .addHelpText('after', HELP)
    .action((flags: RunFlags) => runCommand(flags, signal));
}

async function runCommand(flags: RunFlags, signal: AbortSignal): Promise<void> {
  if (flags.manifests !== undefined && flags.kubeconfig !== undefined) {
    throw new OperationalError('usage', '--manifests and --kubeconfig: only one of them can be given');
  }
  const loaded = loadSettings(flags);
  const { settings } = loaded;
  if (flags.writeConfigTo !== undefined) {
    return (await import('../output/write-config.ts')).writeConfig(settings.documents, flags.writeConfigTo);
  }
  if (flags.cleanup) {
    return (await import('./cleanup.ts')).cleanup({ ...settings.nftlane, kubeProxy: false });
  }
  const log = await createLog(settings.nftlane.log);
  logConfiguration(loaded, log);
  if (flags.initOnly) return (await import('../../daemon/init-only.ts')).initOnly(settings, log);
  const { runDaemon } = await import('../../daemon/daemon.ts');
  try {
    await runDaemon({ settings, reload: () => loadSettings(flags), log }, signal);
  } catch (error) {
    if (settings.manifests === undefined) await reportListenFailure(error, settings, log);
    throw error;
  }
}

async function reportListenFailure(error: unknown, { kubeProxy, proxy }: Settings, log: Log): Promise<void> {
  const { writeListenFailureEvent } = await import('../../daemon/listen-failure-event.ts');
  const { loadApiClient } = await import('../../sources/api-server/client/api-client.ts');
  const connect = () => loadApiClient(kubeProxy.clientConnection);
  await writeListenFailureEvent(error, { connect, nodeName: proxy.nodeName, log });
}

/** Says what of the configuration has no effect, and which flags went before it. */
export function logConfiguration({ configuration, settings }: LoadedSettings, log: Log): void {
  const file = settings.configFile;
  const warnings = configuration.warnings.map(describeProblem);
  if (warnings.length > 0) log.warn('parts of the configuration are passed over', { file, warnings });
  if (configuration.overridingFlags.length > 0) {
    log.info('flags go before the configuration file', { file, flags: configuration.overridingFlags });
  }
}
