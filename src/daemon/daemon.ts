// The daemon: objects from a source, transactions to the kernel, until it is told to stop.
import { AdminSocketError, adminSocketPath, serveState } from '../admin/admin-socket.ts';
import { engineState } from '../admin/daemon-state.ts';
import type { LoadedSettings, Settings } from '../config/settings.ts';
import { Conntrack } from '../conntrack/conntrack.ts';
import { FlowCleaner } from '../conntrack/flow-cleaner.ts';
import { NodeLogger } from '../controller/node-logger.ts';
import { NodeWaiter } from '../controller/node-waiter.ts';
import { SyncController } from '../controller/sync-controller.ts';
import { SyncLogger } from '../controller/sync-logger.ts';
import type { SyncObserver } from '../controller/sync-observer.ts';
import { Engine } from '../engine/engine.ts';
import { Health } from '../health/health.ts';
import { staleAfterMs } from '../health/sync-health.ts';
import { systemClock } from '../host/clock.ts';
import type { AdjustableLog } from '../host/log.ts';
import { hostAddresses } from '../host/network/host-addresses.ts';
import { releaseMemory, setOomScore } from '../host/process/memory.ts';
import { applyConntrackSysctls } from '../host/sysctl/apply-sysctls.ts';
import { logSysctlOutcomes } from '../host/sysctl/log-sysctl-outcomes.ts';
import { RouteLocalnet } from '../host/sysctl/route-localnet.ts';
import { VERSION } from '../lib/version.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { TakeOver } from '../migration/take-over.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import type { Sink } from '../services/objects/sink.ts';
import { loadApiClient } from '../sources/api-server/client/api-client.ts';
import { ClusterSource } from '../sources/api-server/cluster-source.ts';
import { DirectorySource } from '../sources/manifests/directory-source.ts';
import { startAddressWatcher } from './address-watcher.ts';
import { createFastPath } from './fast-path-runner.ts';
import { watchAndReload } from './reload.ts';
import { servedFamilies } from './served-families.ts';
import { Telemetry } from './telemetry.ts';

export interface DaemonOptions {
  readonly settings: Settings;
  /** Reads file and flags again. */
  readonly reload: () => LoadedSettings;
  readonly log: AdjustableLog;
}

/**
 * Runs until the signal aborts, or the configuration changes in a way that takes a new start. The data plane stays as it
 * is: forwarding does not need the daemon.
 */
export async function runDaemon({ settings, reload, log }: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { nftlane, proxy } = settings;
  const nftClient = new NftClient({ command: nftlane.nft });
  const families = await servedFamilies({ nftClient, proxy, log });
  const engine = new Engine({ ...proxy, families });
  engine.setHostAddresses(hostAddresses());
  const conntrack = new Conntrack({ command: nftlane.conntrack });
  const { healthzBindAddress: address, bindAddressHardFail: hardFail } = settings.kubeProxy;
  let current = settings;
  const telemetry = await Telemetry.open({ settings: () => current, engine, nftClient, log });
  const onCleaned = telemetry.observeConntrackCleanup.bind(telemetry);
  const cleaner = new FlowCleaner({ engine, conntrack, hostAddresses, log, clock: systemClock, onCleanup: onCleaned });
  const routeLocalnet = new RouteLocalnet(log);
  const onAnswer = telemetry.countHealthResponse.bind(telemetry);
  const onPortFailure = telemetry.reportHealthPortFailure.bind(telemetry);
  const timeoutMs = staleAfterMs(settings.kubeProxy);
  using health = new Health({
    engine,
    address,
    hardFail,
    log,
    clock: systemClock,
    onResponse: onAnswer,
    onPortFailure,
    timeoutMs,
  });
  await health.open();
  const services = () => engine.store.services.size;
  const leftovers = new KubeProxyLeftovers({ nft: nftlane.nft });
  const takeOver = new TakeOver({ mode: nftlane.takeOver, leftovers, serviceCount: services, log, clock: systemClock });
  const fastPath = createFastPath(nftlane, { engine, hostAddresses, log });
  await fastPath.open();
  const engineOptions = ({ proxy: proxyOptions }: Settings) => ({
    ...proxyOptions,
    families,
    resetsConnections: fastPath.isUsable,
  });
  engine.setOptions(engineOptions(settings));
  telemetry.setFastPathView(() => fastPath.status());
  const observers: readonly SyncObserver[] = [
    new SyncLogger({ log, services }),
    new NodeLogger({ engine, log }),
    cleaner,
    ...health.observers,
    takeOver,
    fastPath,
    { initialLoadCompleted: releaseMemory },
    { synced: () => void (hasLocalhostNodePorts(current) && engine.node.localhostNodePorts && routeLocalnet.enable()) },
    telemetry.observer,
  ];
  const nodeWait = new NodeWaiter({ engine, log, clock: systemClock, request: () => controller.request() });
  const mayStart = () => settings.manifests !== undefined || nodeWait.isDone();
  const controller: SyncController = new SyncController({
    engine,
    tables: nftClient,
    log,
    clock: systemClock,
    observers,
    canStart: mayStart,
  });
  const [nftVersion, source] = await Promise.all([
    nftClient.check(),
    openSource(settings, { log, controller, telemetry }),
  ]);
  const socketPath = adminSocketPath(nftlane.runDir);
  const state = () => ({
    version: VERSION,
    pid: process.pid,
    source: source.name,
    ...engineState(engine),
    fastPath: fastPath.status(),
  });
  const socket = await serveState(socketPath, state).catch((error: unknown) => {
    if (error instanceof AdminSocketError) throw error;
    log.warn('inspection is off: its socket cannot be made', { path: socketPath, reason: String(error) });
  });
  logSysctlOutcomes(await applyConntrackSysctls(settings.kubeProxy.conntrack), log);
  log.info('started', {
    version: VERSION,
    nft: nftVersion,
    node: proxy.nodeName,
    source: source.name,
    socket: socketPath,
  });
  await setOomScore(settings.kubeProxy.oomScoreAdj, log);

  const stop = new AbortController();
  const stopSignal = AbortSignal.any([signal, stop.signal]);
  const addressWatcher = startAddressWatcher({
    engine,
    requestSync: () => controller.request(),
    log,
    signal: stopSignal,
  });
  const apply = async (next: Settings): Promise<void> => {
    log.setLevel(next.nftlane.log.level);
    // First, so that no sync switches on again what is switched off before the rules go.
    current = next;
    if (!hasLocalhostNodePorts(next)) await routeLocalnet.disable();
    engine.setOptions(engineOptions(next));
    addressWatcher.optionsChanged();
    controller.request();
  };
  watchAndReload({ settings, reload, log, apply, restart: () => stop.abort(), signal: stopSignal });
  const tasks = [
    source.run(stopSignal),
    controller.run(stopSignal),
    cleaner.run(stopSignal),
    takeOver.run(stopSignal),
    fastPath.run(stopSignal),
  ];
  try {
    if (settings.manifests === undefined) void nodeWait.run(stopSignal);
    await Promise.all([...tasks, telemetry.run(nftVersion, stopSignal)].map(stopAllOnEnd));
  } finally {
    stop.abort();
    await addressWatcher.stopped();
    nftClient.close();
    await socket?.close();
  }
  log.info('stopped', { note: 'the data plane keeps working' });

  /** When one part fails the other must not go on alone. */
  async function stopAllOnEnd(task: Promise<void>): Promise<void> {
    try {
      await task;
    } finally {
      stop.abort();
    }
  }
}

function hasLocalhostNodePorts({ proxy }: Settings): boolean {
  return proxy.nodePortAddresses.includes('localhost');
}

interface ObjectSource {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

interface ObjectSourceOptions {
  readonly log: AdjustableLog;
  readonly controller: Sink;
  readonly telemetry: Telemetry;
}

async function openSource(
  settings: Settings,
  { log, controller, telemetry }: ObjectSourceOptions,
): Promise<ObjectSource> {
  const { manifests, proxy, kubeProxy } = settings;
  const sink = telemetry.countingSink(controller);
  if (manifests !== undefined) {
    const source = new DirectorySource({ directory: manifests, sink, log });
    return { name: `manifests in ${manifests}`, run: (signal) => source.run(signal) };
  }
  const client = await loadApiClient(kubeProxy.clientConnection, telemetry.requestObserver);
  const source = new ClusterSource({ client, nodeName: proxy.nodeName, sink, clock: systemClock, log });
  telemetry.connectApiServer(client, () => source.states());
  return { name: `API server ${client.server}`, run: (signal) => source.run(signal) };
}
