// The command `run`: runs the daemon, or one of the short tasks that its flags select.

import { type Command, Option } from 'commander';
import { describeProblem } from '../../config/schema/configuration-error.ts';
import type { LoadedSettings, Settings } from '../../config/settings.ts';
import { createLog, type Log } from '../../host/log.ts';
import { reportFatalErrors } from '../../host/process/fatal-errors.ts';
import { reportProcessWarnings } from '../../host/process-warnings.ts';
import { OperationalError } from '../../lib/operational-error.ts';
import { withConfigFlags } from '../flags/config-flags.ts';
import { RUN_FLAGS } from '../flags/flag-table.ts';
import { loadSettings, type ParsedFlags, withProxyFlags } from '../flags/proxy-flags.ts';
import type { CommandContext } from '../output/command-context.ts';

interface RunFlags extends ParsedFlags {
  readonly writeConfigTo?: string;
  readonly cleanup?: boolean;
  readonly initOnly?: boolean;
  readonly manifests?: string;
  readonly kubeconfig?: string;
}

const HELP = `
Flags override the fields of the --config file, and the log lists those that do. The file is watched: fields that can
change at run time are applied; for any other change the process exits with status 0, to be restarted. Flags of
kube-proxy that have no effect in nftlane are accepted.`;

export function addRun(program: Command, { signal }: CommandContext): void {
  const command = program
    .command('run')
    .description('run the daemon, which programs the kernel with Services from manifests or an API server');
  withConfigFlags(withProxyFlags(command), RUN_FLAGS)
    .option('--master <url>', 'URL of the API server (overrides the kubeconfig)')
    .option('--write-config-to <file>', 'write the configuration, including defaults, to a file and exit')
    .option('--cleanup', 'remove everything nftlane created and exit, like the command cleanup')
    .option('--init-only', 'apply kernel settings, load the fast path programs if enabled, and exit')
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
    throw new OperationalError('usage', 'Cannot use --manifests together with --kubeconfig');
  }
  const loaded = await loadSettings(flags);
  const { settings } = loaded;
  if (flags.writeConfigTo !== undefined) {
    return (await import('../output/write-config.ts')).writeConfig(settings.documents, flags.writeConfigTo);
  }
  if (flags.cleanup) {
    return (await import('./cleanup.ts')).cleanup({ ...settings.nftlane, kubeProxy: false });
  }
  const log = await createLog(settings.nftlane.log);
  reportFatalErrors((error) => {
    log.error('unexpected error; exiting to restart', { ...error });
    log.flush();
  });
  reportProcessWarnings((warning) => log.warn('warning of Node', { ...warning }));
  logConfiguration(loaded, log);
  if (flags.initOnly) return (await import('../../daemon/init-only.ts')).initOnly(settings, log);
  const { runDaemon } = await import('../../daemon/daemon.ts');
  try {
    await runDaemon({ settings, reload: () => loadSettings(flags), log }, signal);
  } catch (error) {
    if (settings.manifests === undefined) await reportListenFailure(error, settings, log);
    throw error;
  } finally {
    await log.drain();
  }
}

async function reportListenFailure(error: unknown, { kubeProxy, proxy }: Settings, log: Log): Promise<void> {
  const { writeListenFailureEvent } = await import('../../daemon/listen-failure-event.ts');
  const { loadApiClient } = await import('../../sources/api-server/client/api-client.ts');
  const connect = () => loadApiClient(kubeProxy.clientConnection);
  await writeListenFailureEvent(error, { connect, nodeName: proxy.nodeName, log });
}

/** Logs fields without effect and flags that override the file. */
function logConfiguration({ configuration, settings }: LoadedSettings, log: Log): void {
  const file = settings.configFile;
  const warnings = configuration.warnings.map(describeProblem);
  if (warnings.length > 0) log.warn('ignoring some configuration fields', { file, warnings });
  if (configuration.overridingFlags.length > 0) {
    log.info('flags override the configuration file', { file, flags: configuration.overridingFlags });
  }
}
