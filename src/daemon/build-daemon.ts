// Builds the parts of the daemon and subscribes the observers of its syncs.

import type { Settings } from '../config/settings.ts';
import type { CleanupResult } from '../conntrack/cleanup-runner.ts';
import { Conntrack } from '../conntrack/conntrack.ts';
import { AttemptCleaner } from '../conntrack/tcp/attempt-cleaner.ts';
import { FlowCleaner } from '../conntrack/udp/flow-cleaner.ts';
import { NodeLogger } from '../controller/node-logger.ts';
import { NodeWaiter } from '../controller/node-waiter.ts';
import { OwnershipLogger } from '../controller/ownership-logger.ts';
import { ElementVerifier } from '../controller/repair/element-verifier.ts';
import { RulesetMonitor } from '../controller/repair/ruleset-monitor.ts';
import type { StartGuard } from '../controller/start-gate.ts';
import { SyncController } from '../controller/sync-controller.ts';
import { SyncLogger } from '../controller/sync-logger.ts';
import type { SyncObserver } from '../controller/sync-observer.ts';
import { Engine } from '../engine/engine.ts';
import { Health } from '../health/health.ts';
import { staleAfterMs } from '../health/sync-health.ts';
import { systemClock } from '../host/clock.ts';
import type { AdjustableLog } from '../host/log.ts';
import { Evictions } from '../host/network/evictions.ts';
import { hostAddresses, hostNetworks } from '../host/network/host-addresses.ts';
import { releaseMemory } from '../host/process/memory.ts';
import { RouteLocalnet } from '../host/sysctl/route-localnet.ts';
import { isTcpBeLiberal } from '../host/sysctl/tcp-be-liberal.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { TakeOver } from '../migration/take-over.ts';
import type { Family } from '../net/family.ts';
import type { RouteSource } from '../net/host.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import type { SourceStatus } from '../sources/status/source-status.ts';
import { createFastPath, type FastPathRunner } from './fast-path-runner.ts';
import { servedFamilies } from './served-families.ts';
import { Telemetry } from './telemetry.ts';

/** What changes while the daemon runs. */
interface LiveState {
  settings: Settings;
  /** With `keepRouteSource`, as last read. */
  routeSources?: readonly RouteSource[];
  /** Set when the daemon starts. */
  sourceStatus?: () => SourceStatus;
  /** Set when the daemon starts. */
  startGuard?: StartGuard;
}

/** Parts that most others depend on. */
interface Core {
  readonly log: AdjustableLog;
  readonly nftClient: NftClient;
  readonly families: readonly Family[];
  /** The kernel's setting at start. */
  readonly tcpBeLiberal: boolean;
  readonly engine: Engine;
  readonly telemetry: Telemetry;
  readonly evictions: Evictions;
  /** The settings in force; a changed configuration replaces them. */
  readonly live: LiveState;
}

/** Parts that observe syncs. */
interface ObservingParts {
  readonly cleaner: FlowCleaner;
  readonly attemptCleaner: AttemptCleaner;
  readonly health: Health;
  readonly takeOver: TakeOver;
  readonly fastPath: FastPathRunner;
  readonly routeLocalnet: RouteLocalnet;
}

/** All parts, connected but not started. */
export interface Daemon extends Core, ObservingParts, Disposable {
  readonly controller: SyncController;
  readonly nodeWaiter: NodeWaiter;
  readonly rulesetMonitor: RulesetMonitor;
  readonly elementVerifier: ElementVerifier;
}

/** Rejects with an `EnvironmentError` if this machine lacks the address families of the configuration. */
export async function buildDaemon(settings: Settings, log: AdjustableLog): Promise<Daemon> {
  const core = await buildCore(settings, log);
  const parts = buildObservingParts(settings, core);
  const { engine, nftClient, telemetry } = core;
  const { health, fastPath } = parts;
  telemetry.setFastPathStatus(() => fastPath.status());
  telemetry.setSyncStatus(() => health.syncStatus);
  const nodeWaiter = new NodeWaiter({ engine, log, clock: systemClock, request: () => controller.request() });
  const rulesetMonitor = new RulesetMonitor({
    command: settings.nftlane.nft,
    nftClient,
    family: core.families[0] ?? 'ip',
    onCommit: (commit) => controller.repair(commit),
    onGap: (gap) => controller.recoverFromGap(gap),
    log,
    clock: systemClock,
  });
  const elementVerifier = new ElementVerifier({
    engine,
    nftClient,
    onDifferences: (commit) => controller.repair(commit),
    log,
    clock: systemClock,
  });
  const controller: SyncController = new SyncController({
    engine,
    nftClient,
    log,
    clock: systemClock,
    observers: [...observersOf(core, parts), rulesetMonitor, elementVerifier],
    isNotified: () => rulesetMonitor.status.state === 'listening',
    startGuard: () => core.live.startGuard,
    canStart: () => settings.manifests !== undefined || nodeWaiter.isDone(),
  });
  telemetry.setRulesetWatch({
    monitor: () => rulesetMonitor.status,
    contest: () => controller.contest,
    verification: () => elementVerifier.status,
  });
  const dispose = (): void => {
    health[Symbol.dispose]();
    fastPath.close();
  };
  return { ...core, ...parts, controller, nodeWaiter, rulesetMonitor, elementVerifier, [Symbol.dispose]: dispose };
}

async function buildCore(settings: Settings, log: AdjustableLog): Promise<Core> {
  const live: LiveState = { settings };
  const { nftlane, proxy } = settings;
  const nftClient = new NftClient({ command: nftlane.nft, tableOwnership: nftlane.tableOwnership });
  const families = await servedFamilies({ nftClient, proxy, log });
  const tcpBeLiberal = await isTcpBeLiberal();
  const engine = new Engine({ ...proxy, families });
  engine.setHostAddresses(hostAddresses(), hostNetworks());
  const evictions = new Evictions({ log, clock: systemClock });
  const telemetry = await Telemetry.open({ settings: () => live.settings, engine, nftClient, evictions, log });
  return { log, nftClient, families, tcpBeLiberal, engine, telemetry, evictions, live };
}

function buildObservingParts({ nftlane, kubeProxy }: Settings, core: Core): ObservingParts {
  const { engine, log, telemetry, evictions, live, nftClient } = core;
  const common = { log, clock: systemClock };
  // One of its own for each: it counts the processor time.
  const conntrackCleanup = (protocol: 'udp' | 'tcp') => ({
    ...common,
    engine,
    conntrack: new Conntrack({ command: nftlane.conntrack }),
    hostAddresses,
    onCleanup: (result: CleanupResult) => telemetry.observeConntrackCleanup(protocol, result),
    onFailure: () => telemetry.countConntrackFailure(protocol),
  });
  return {
    cleaner: new FlowCleaner(conntrackCleanup('udp')),
    attemptCleaner: new AttemptCleaner(conntrackCleanup('tcp')),
    health: new Health({
      ...common,
      engine,
      evictions,
      address: kubeProxy.healthzBindAddress,
      hardFail: kubeProxy.bindAddressHardFail,
      timeoutMs: staleAfterMs(kubeProxy),
      sourceProblems: () => live.sourceStatus?.().problems ?? [],
      onResponse: (path, status) => telemetry.countHealthResponse(path, status),
      onPortFailure: (failure) => telemetry.reportHealthPortFailure(failure),
    }),
    takeOver: new TakeOver({
      ...common,
      mode: nftlane.takeOver,
      leftovers: new KubeProxyLeftovers({ nft: nftlane.nft }),
      serviceCount: () => engine.store.services.size,
    }),
    fastPath: createFastPath(nftlane, {
      engine,
      hostAddresses,
      log,
      applyToTables: (lines) => applyToTables(nftClient, lines),
    }),
    routeLocalnet: new RouteLocalnet(log),
  };
}

/** Applies a transaction between syncs. */
async function applyToTables(nftClient: NftClient, lines: readonly string[]): Promise<void> {
  await nftClient.apply(lines);
  await nftClient.protect();
}

/** All observers of syncs. */
function observersOf(
  { engine, nftClient, log, telemetry, live }: Core,
  parts: ObservingParts,
): readonly SyncObserver[] {
  const { cleaner, attemptCleaner, health, takeOver, fastPath, routeLocalnet } = parts;
  const acceptsLocalhostNodePorts = () => hasLocalhostNodePorts(live.settings) && engine.node.localhostNodePorts;
  return [
    new SyncLogger({ log, services: () => engine.store.services.size }),
    new NodeLogger({ engine, log, readAddresses: hostAddresses }),
    new OwnershipLogger({ nftClient, log }),
    cleaner,
    attemptCleaner,
    ...health.observers,
    takeOver,
    fastPath,
    // Later, because the event refers to every Service.
    { committed: ({ isInitial }) => void (isInitial && setImmediate(releaseMemory)) },
    { committed: ({ isInitial }) => void (isInitial && live.startGuard?.started()) },
    { committed: () => void (acceptsLocalhostNodePorts() && routeLocalnet.enable()) },
    telemetry.observer,
  ];
}

/** Whether node ports are accepted at 127.0.0.1, which requires the sysctl route_localnet. */
export function hasLocalhostNodePorts({ proxy }: Settings): boolean {
  return proxy.nodePortAddresses.includes('localhost');
}
