// Starts the daemon: opens its servers, its source and its socket, and sets the kernel settings.

import { ACCEPT_LOSS_PATH } from '../admin/accept-loss.ts';
import { adminSocketPath, serveState } from '../admin/admin-socket.ts';
import { AdminSocketError } from '../admin/fetch-state.ts';
import { type DaemonState, engineState } from '../admin/state/daemon-state.ts';
import type { DaemonStatus } from '../admin/state/daemon-status.ts';
import { destinationOf } from '../admin/state/state-query.ts';
import { StateFileWriter } from '../admin/state-file/state-file-writer.ts';
import { stateFilePaths } from '../admin/state-file/state-files.ts';
import type { Settings } from '../config/settings.ts';
import { systemClock } from '../host/clock.ts';
import { readRouteSources } from '../host/links/route-sources.ts';
import { LogOnce } from '../host/log-once.ts';
import { setOomScore } from '../host/process/memory.ts';
import { applyConntrackSysctls } from '../host/sysctl/apply-sysctls.ts';
import { logSysctlOutcomes } from '../host/sysctl/log-sysctl-outcomes.ts';
import { errorMessage } from '../lib/error-message.ts';
import { VERSION } from '../lib/version.ts';
import type { NodeOptions } from '../nftables/compile/node-view.ts';
import type { Daemon } from './build-daemon.ts';
import { type ObjectSource, openSource } from './object-source.ts';

/** Resources that {@link startDaemon} opened. */
export interface StartedDaemon {
  readonly source: ObjectSource;
  readonly nftVersion: string;
  /** `undefined` if the socket cannot be created. */
  readonly socket: { close(): Promise<void> } | undefined;
  readonly stateFiles: StateFileWriter;
}

/** Rejects if the daemon cannot run: nft or the source is unusable, a required server or fast path fails, or another daemon runs. */
export async function startDaemon(daemon: Daemon): Promise<StartedDaemon> {
  const { live, log, nftClient, engine, health, fastPath, controller, telemetry } = daemon;
  const { settings } = live;
  const { kubeProxy, proxy } = settings;
  await health.open();
  await fastPath.open();
  if (proxy.keepRouteSource === true) live.routeSources = await readRouteSources().catch(() => []);
  engine.setOptions(engineOptions(daemon, settings));
  const [nftVersion, source] = await Promise.all([
    nftClient.check(),
    openSource(settings, {
      log,
      sink: controller,
      store: engine.store,
      telemetry,
      lossLimits: () => live.settings.nftlane.massLoss,
    }),
  ]);
  live.sourceStatus = () => source.status();
  live.startGuard = source.guard;
  telemetry.setSourceStatus(live.sourceStatus);
  const socketPath = adminSocketPath(settings.nftlane.runDir);
  const socket = await openSocket(daemon, { path: socketPath, source });
  logSysctlOutcomes(await applyConntrackSysctls(kubeProxy.conntrack), log);
  log.info('started', {
    version: VERSION,
    nftVersion,
    node: proxy.nodeName,
    source: source.name,
    socket: socketPath,
  });
  await setOomScore(kubeProxy.oomScoreAdj, log);
  return { source, nftVersion, socket, stateFiles: stateFileWriter(daemon, { path: socketPath, source }) };
}

/** The options of the engine under these settings, on this machine. */
export function engineOptions(
  { families, fastPath, tcpBeLiberal, live }: Pick<Daemon, 'families' | 'fastPath' | 'tcpBeLiberal' | 'live'>,
  { proxy, manifests }: Settings,
): NodeOptions {
  const isLiberal = tcpBeLiberal || proxy.tcpBeLiberal;
  const { routeSources } = live;
  const host = { families, routeSources, tcpBeLiberal: isLiberal, resetsConnections: fastPath.isUsable };
  return { ...proxy, ...host, seesAllServices: manifests !== undefined };
}

/** Without a socket the daemon runs, except if another daemon serves it. */
async function openSocket(
  daemon: Daemon,
  { path, source }: { readonly path: string; readonly source: ObjectSource },
): Promise<StartedDaemon['socket']> {
  const { log } = daemon;
  const failures = new LogOnce(log);
  const onRecreated = (error?: unknown): void => {
    if (error !== undefined)
      failures.log('warn', 'admin socket was removed and cannot be created', { path, reason: errorMessage(error) });
    else if (failures.reset()) log.info('admin socket is created again', { path });
    else log.warn('admin socket was removed; created again', { path });
  };
  const commands = { [ACCEPT_LOSS_PATH]: () => acceptLoss(daemon, source) };
  try {
    return await serveState(path, (query) => stateOf(daemon, { source, query }), { onRecreated, commands });
  } catch (error) {
    if (error instanceof AdminSocketError) throw error;
    log.warn('cannot create admin socket; inspection commands are unavailable', { path, reason: errorMessage(error) });
    return undefined;
  }
}

/** A start that was held continues immediately. */
function acceptLoss({ controller }: Daemon, { guard }: ObjectSource): { readonly services: number } {
  const services = guard.acceptLoss();
  controller.request();
  return { services };
}

/** What commands can know after this process has ended. */
function stateFileWriter(
  daemon: Daemon,
  { path, source }: { readonly path: string; readonly source: ObjectSource },
): StateFileWriter {
  return new StateFileWriter({
    paths: stateFilePaths(path),
    status: () => statusOf(daemon, source),
    state: () => stateOf(daemon, { source }),
    clock: systemClock,
    log: daemon.log,
  });
}

const PROGRAM = { version: VERSION, pid: process.pid };

function statusOf(daemon: Daemon, source: ObjectSource): DaemonStatus {
  const { engine, health, live, rulesetMonitor, elementVerifier, controller } = daemon;
  const node = live.settings.proxy.nodeName;
  const verification = elementVerifier.status;
  const ruleset = { monitor: rulesetMonitor.status, contest: controller.contest, verification };
  return { ...PROGRAM, node, ready: engine.store.isReady, source: source.status(), sync: health.syncStatus, ruleset };
}

function stateOf(
  daemon: Daemon,
  { source, query = '' }: { readonly source: ObjectSource; readonly query?: string },
): DaemonState {
  const { engine, fastPath } = daemon;
  const status = statusOf(daemon, source);
  return {
    ...PROGRAM,
    status,
    source: source.name,
    ...engineState(engine, destinationOf(query)),
    fastPath: fastPath.status(),
  };
}
