// Runs the daemon: applies objects from a source to the kernel until it is stopped.

import type { LoadedSettings, Settings } from '../config/settings.ts';
import { watchPortConflicts } from '../health/ports/port-conflict-watch.ts';
import type { AdjustableLog } from '../host/log.ts';
import { type AddressWatcher, startAddressWatcher } from './address-watcher.ts';
import { buildDaemon, type Daemon, hasLocalhostNodePorts } from './build-daemon.ts';
import { watchAndReload } from './reload.ts';
import { engineOptions, type StartedDaemon, startDaemon } from './start-daemon.ts';

interface DaemonOptions {
  readonly settings: Settings;
  /** Reads the configuration file and the flags again. */
  readonly reload: () => Promise<LoadedSettings>;
  readonly log: AdjustableLog;
}

/**
 * Runs until the signal aborts or a configuration change requires a restart. The ruleset stays in the kernel: forwarding
 * does not need the daemon.
 */
export async function runDaemon(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { settings, log } = options;
  using daemon = await buildDaemon(settings, log);
  const started = await startDaemon(daemon);
  const stop = new AbortController();
  const stopSignal = AbortSignal.any([signal, stop.signal]);
  const addressWatcher = watchAddresses(daemon, stopSignal);
  const apply = (next: Settings) => applySettings({ ...daemon, ...started }, { next, addressWatcher });
  watchAndReload({ ...options, apply, restart: () => stop.abort(), signal: stopSignal });
  try {
    // A failed part must not leave the others running.
    const tasks = runTasks({ ...daemon, ...started }, stopSignal);
    await Promise.all(tasks.map((task) => task.finally(() => stop.abort())));
  } finally {
    stop.abort();
    await addressWatcher.stopped();
    daemon.nftClient.close();
    await started.socket?.close();
  }
  log.info('stopped', { effect: 'the kernel keeps forwarding' });
}

function watchAddresses({ engine, controller, log }: Daemon, signal: AbortSignal): AddressWatcher {
  const requestSync = () => controller.request();
  watchPortConflicts({ engine, requestSync, signal });
  return startAddressWatcher({ engine, requestSync, log, signal });
}

/** Starts all tasks. They end when the signal aborts. */
function runTasks(daemon: Daemon & StartedDaemon, signal: AbortSignal): Promise<void>[] {
  const { source, nftVersion, live, controller, stateFiles, cleaner, takeOver, fastPath, telemetry, nodeWaiter } =
    daemon;
  const { rulesetMonitor, elementVerifier } = daemon;
  const parts = [source, controller, rulesetMonitor, elementVerifier, cleaner, takeOver, fastPath, stateFiles];
  const tasks = parts.map((part) => part.run(signal));
  if (live.settings.manifests === undefined) void nodeWaiter.run(signal);
  return [...tasks, telemetry.run(nftVersion, signal)];
}

/** Applies the settings that can change at run time. */
async function applySettings(
  daemon: Daemon & StartedDaemon,
  { next, addressWatcher }: { readonly next: Settings; readonly addressWatcher: AddressWatcher },
): Promise<void> {
  const { live, log, engine, controller, routeLocalnet, source } = daemon;
  log.setLevel(next.nftlane.log.level);
  // First, so that no sync enables route_localnet again before the rules that protect it are removed.
  live.settings = next;
  if (!hasLocalhostNodePorts(next)) await routeLocalnet.disable();
  engine.setOptions(engineOptions(daemon, next));
  addressWatcher.optionsChanged();
  source.guard.limitsChanged();
  controller.request();
}
