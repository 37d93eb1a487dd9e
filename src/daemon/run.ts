// The daemon: objects from a source, transactions to the kernel, until it is told to stop.
import { AdminError, adminSocketPath, serveState } from '../admin/admin-socket.ts';
import { engineState } from '../admin/state.ts';
import type { LoadedSettings } from '../cli/flags/proxy-flags.ts';
import type { Settings } from '../config/settings.ts';
import { Conntrack } from '../conntrack/conntrack.ts';
import { FlowCleaner } from '../conntrack/flow-cleaner.ts';
import { Daemon } from '../controller/daemon.ts';
import { NodeLog } from '../controller/node-log.ts';
import { NodeWait } from '../controller/node-wait.ts';
import type { SyncObserver } from '../controller/observer.ts';
import { SyncLog } from '../controller/sync-log.ts';
import { Engine } from '../engine/engine.ts';
import { Health } from '../health/health.ts';
import { staleAfterMs } from '../health/sync-health.ts';
import { systemClock } from '../host/clock.ts';
import type { AdjustableLog } from '../host/log.ts';
import { hostAddresses } from '../host/network/host-addresses.ts';
import { giveBackMemory, setOomScore } from '../host/process/memory.ts';
import { applyConntrackSettings } from '../host/sysctl/apply-settings.ts';
import { LocalhostRouting } from '../host/sysctl/localhost-routing.ts';
import { tellOutcomes } from '../host/sysctl/tell-outcomes.ts';
import { VERSION } from '../lib/version.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy.ts';
import { TakeOver } from '../migration/take-over.ts';
import { Kernel } from '../nftables/client/kernel.ts';
import type { Sink } from '../services/objects/sink.ts';
import { loadApiClient } from '../sources/api-server/client/api-client.ts';
import { ClusterSource } from '../sources/api-server/cluster-source.ts';
import { DirectorySource } from '../sources/manifests/directory-source.ts';
import { followAddresses } from './follow-addresses.ts';
import { followConfiguration } from './reload.ts';
import { fastPathOf } from './run-fast-path.ts';
import { servedFamilies } from './served-families.ts';
import { Telemetry } from './telemetry.ts';

export interface RunParts {
  readonly settings: Settings;
  /** Reads file and flags again. */
  readonly reload: () => LoadedSettings;
  readonly log: AdjustableLog;
}

/**
 * Runs until the signal aborts, or the configuration changes in a way that takes a new start. The data plane stays as it
 * is: forwarding does not need the daemon.
 */
export async function run({ settings, reload, log }: RunParts, signal: AbortSignal): Promise<void> {
  const { own, proxy } = settings;
  const kernel = new Kernel({ command: own.nft });
  const families = await servedFamilies({ kernel, proxy, log });
  const engine = new Engine({ ...proxy, families });
  engine.setHostAddresses(hostAddresses());
  const conntrack = new Conntrack({ command: own.conntrack });
  const { healthzBindAddress: address, bindAddressHardFail: hardFail } = settings.config;
  let current = settings;
  const telemetry = await Telemetry.open({ settings: () => current, engine, kernel, log });
  const onCleaned = telemetry.cleaned.bind(telemetry);
  const cleaner = new FlowCleaner({ engine, conntrack, hostAddresses, log, clock: systemClock, onCleaned });
  const localhost = new LocalhostRouting(log);
  const onAnswer = telemetry.healthAnswered.bind(telemetry);
  const onPortFailure = telemetry.healthPortFailed.bind(telemetry);
  const timeoutMs = staleAfterMs(settings.config);
  using health = new Health({ engine, address, hardFail, log, clock: systemClock, onAnswer, onPortFailure, timeoutMs });
  await health.open();
  const services = () => engine.store.services.size;
  const leftovers = new KubeProxyLeftovers({ nft: own.nft });
  const takeOver = new TakeOver({ mode: own.takeOver, leftovers, services, log, clock: systemClock });
  const fastPath = fastPathOf(own, { engine, hostAddresses, log });
  await fastPath.open();
  const optionsOf = ({ proxy: given }: Settings) => ({ ...given, families, resetsEnded: fastPath.isUsable });
  engine.setOptions(optionsOf(settings));
  telemetry.showFastPath(() => fastPath.view());
  const observers: readonly SyncObserver[] = [
    new SyncLog({ log, services }),
    new NodeLog({ engine, log }),
    cleaner,
    ...health.observers,
    takeOver,
    fastPath,
    { completed: giveBackMemory },
    { synced: () => void (takesLocalhost(current) && engine.node.localhostNodePorts && localhost.open()) },
    telemetry.observer,
  ];
  const nodeWait = new NodeWait({ engine, log, clock: systemClock, request: () => daemon.request() });
  const mayBegin = () => settings.manifests !== undefined || nodeWait.isOver();
  const daemon: Daemon = new Daemon({ engine, tables: kernel, log, clock: systemClock, observers, mayBegin });
  const [nftVersion, source] = await Promise.all([kernel.check(), openSource(settings, { log, daemon, telemetry })]);
  const path = adminSocketPath(own.runDir);
  const state = () => ({
    version: VERSION,
    pid: process.pid,
    source: source.name,
    ...engineState(engine),
    fastPath: fastPath.view(),
  });
  const socket = await serveState(path, state).catch((error: unknown) => {
    if (error instanceof AdminError) throw error;
    log.warn('inspection is off: its socket cannot be made', { path, reason: String(error) });
  });
  tellOutcomes(await applyConntrackSettings(settings.config.conntrack), log);
  log.info('started', { version: VERSION, nft: nftVersion, node: proxy.nodeName, source: source.name, socket: path });
  await setOomScore(settings.config.oomScoreAdj, log);

  const stopped = new AbortController();
  const both = AbortSignal.any([signal, stopped.signal]);
  const addresses = followAddresses({ engine, request: () => daemon.request(), log, signal: both });
  const apply = async (next: Settings): Promise<void> => {
    log.setLevel(next.own.log.level);
    // First, so that no sync switches on again what is switched off before the rules go.
    current = next;
    if (!takesLocalhost(next)) await localhost.close();
    engine.setOptions(optionsOf(next));
    addresses.optionsChanged();
    daemon.request();
  };
  followConfiguration({ settings, reload, log, apply, restart: () => stopped.abort(), signal: both });
  const parts = [source.run(both), daemon.run(both), cleaner.run(both), takeOver.run(both), fastPath.run(both)];
  try {
    if (settings.manifests === undefined) void nodeWait.run(both);
    await Promise.all([...parts, telemetry.run(nftVersion, both)].map(guarded));
  } finally {
    stopped.abort();
    await addresses.ended();
    kernel.close();
    await socket?.close();
  }
  log.info('stopped', { note: 'the data plane keeps working' });

  /** When one part fails the other must not go on alone. */
  async function guarded(part: Promise<void>): Promise<void> {
    try {
      await part;
    } finally {
      stopped.abort();
    }
  }
}

function takesLocalhost({ proxy }: Settings): boolean {
  return proxy.nodePortAddresses.includes('localhost');
}

interface Source {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

interface Around {
  readonly log: AdjustableLog;
  readonly daemon: Sink;
  readonly telemetry: Telemetry;
}

async function openSource(settings: Settings, { log, daemon, telemetry }: Around): Promise<Source> {
  const { manifests, proxy, config } = settings;
  const sink = telemetry.count(daemon);
  if (manifests !== undefined) {
    const source = new DirectorySource({ directory: manifests, sink, log });
    return { name: `manifests in ${manifests}`, run: (signal) => source.run(signal) };
  }
  const client = await loadApiClient(config.clientConnection, telemetry.requestObserver);
  const source = new ClusterSource({ client, nodeName: proxy.nodeName, sink, clock: systemClock, log });
  telemetry.connect(client, () => source.states());
  return { name: `API server ${client.server}`, run: (signal) => source.run(signal) };
}
