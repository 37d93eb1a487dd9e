// Runs the daemon: applies objects from a source to the kernel until it is stopped.

import type { LoadedSettings, Settings } from '../config/settings.ts';
import { watchPortConflicts } from '../health/ports/port-conflict-watch.ts';
import { systemClock } from '../host/clock.ts';
import { watchRouteSources } from '../host/links/route-source-watcher.ts';
import { readRouteSources } from '../host/links/route-sources.ts';
import type { AdjustableLog } from '../host/log.ts';
import { runTogether } from '../host/run-together.ts';
import type { RouteSource } from '../net/host.ts';
import { NetworkLock } from '../nftables/client/lock/network-lock.ts';
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
  const lock = NetworkLock.acquire({ command: settings.nftlane.nft, log });
  try {
    // Both take a few milliseconds, and nothing is changed yet.
    using daemon = (await Promise.all([buildDaemon(settings, log), lock]))[0];
    await runLocked(daemon, { ...options, lock: await lock }, signal);
  } finally {
    await (await lock.catch(() => undefined))?.close();
  }
  log.info('stopped', { effect: 'the kernel keeps forwarding' });
}

/** Runs while the lock of the network namespace is held. */
async function runLocked(
  daemon: Daemon,
  options: DaemonOptions & { readonly lock: NetworkLock },
  signal: AbortSignal,
): Promise<void> {
  const { lock, log } = options;
  const started = await startDaemon(daemon);
  const stop = new AbortController();
  const stopSignal = AbortSignal.any([signal, stop.signal]);
  const addressWatcher = watchAddresses(daemon, stopSignal);
  void followRoutes(daemon, stopSignal);
  const apply = (next: Settings) => applySettings({ ...daemon, ...started }, { next, addressWatcher });
  watchAndReload({ ...options, apply, restart: () => stop.abort(), signal: stopSignal });
  const tasks = { ...tasksOf({ ...daemon, ...started }), lock: (until: AbortSignal) => lock.run(until) };
  const onLate = (parts: readonly string[]) =>
    log.warn('parts of the daemon have not stopped; exiting without them', { parts });
  if (daemon.live.settings.manifests === undefined) void daemon.nodeWaiter.run(stopSignal);
  try {
    await runTogether(tasks, { signal: stopSignal, onLate });
  } finally {
    stop.abort();
    await addressWatcher.stopped();
    daemon.nftClient.close();
    await started.socket?.close();
  }
}

function watchAddresses({ engine, controller, log }: Daemon, signal: AbortSignal): AddressWatcher {
  const requestSync = () => controller.request();
  watchPortConflicts({ engine, requestSync, signal });
  return startAddressWatcher({ engine, requestSync, log, signal });
}

/** Follows the preferred sources of routes while they are used. */
function followRoutes(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { engine, controller, live, log } = daemon;
  const onChange = (found: readonly RouteSource[]): void => {
    live.routeSources = found;
    engine.setOptions(engineOptions(daemon, live.settings));
    controller.request();
  };
  const read = async () => (live.settings.proxy.keepRouteSource === true ? readRouteSources() : []);
  return watchRouteSources({ read, known: () => live.routeSources ?? [], onChange, log, clock: systemClock }, signal);
}

/** The tasks of the parts, by the names that the log uses. */
function tasksOf(daemon: Daemon & StartedDaemon): Record<string, (signal: AbortSignal) => Promise<void>> {
  const { source, nftVersion, controller, stateFiles, takeOver, fastPath, telemetry } = daemon;
  const { cleaner, attemptCleaner, rulesetMonitor, elementVerifier } = daemon;
  const syncing = { source, controller, rulesetMonitor, elementVerifier };
  const parts = { ...syncing, conntrack: cleaner, conntrackAttempts: attemptCleaner, takeOver, fastPath, stateFiles };
  const tasks = Object.entries(parts).map(([name, part]) => [name, (signal: AbortSignal) => part.run(signal)] as const);
  return {
    ...Object.fromEntries(tasks),
    telemetry: (signal) => telemetry.run(nftVersion, signal),
  };
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
