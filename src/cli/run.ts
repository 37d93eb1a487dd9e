// The daemon: objects from a source, transactions to the kernel, until it is told to stop.
import { networkInterfaces } from 'node:os';
import { AdminError, adminSocketPath, serveState } from '../admin/admin-socket.ts';
import { engineState } from '../admin/state.ts';
import { Kernel } from '../apply/kernel.ts';
import { loadApiClient } from '../cluster/api-client.ts';
import { ClusterSource } from '../cluster/cluster-source.ts';
import type { ProxyOptions } from '../compile/node-view.ts';
import { Conntrack } from '../conntrack/conntrack.ts';
import { FlowCleaner } from '../conntrack/flow-cleaner.ts';
import { Engine } from '../engine/engine.ts';
import { Health } from '../health/health.ts';
import type { Sink } from '../kube/sink.ts';
import { DirectorySource } from '../manifests/directory-source.ts';
import type { BindAddress } from '../net/bind-address.ts';
import { Daemon } from '../sync/daemon.ts';
import type { SyncObserver } from '../sync/observer.ts';
import { SyncLog } from '../sync/sync-log.ts';
import { systemClock } from '../sys/clock.ts';
import type { Log } from '../sys/log.ts';
import { giveBackMemory } from '../sys/memory.ts';
import { applyConntrackSettings } from '../sysctl/apply-settings.ts';
import type { ConntrackSettings } from '../sysctl/conntrack-settings.ts';
import { tellOutcomes } from '../sysctl/tell-outcomes.ts';
import { KubeProxyLeftovers } from '../takeover/kube-proxy.ts';
import { TakeOver } from '../takeover/take-over.ts';
import { VERSION } from './version.ts';

export interface RunSettings {
  readonly proxy: ProxyOptions;
  /** A directory of manifests; without it objects come from an API server. */
  readonly manifests: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly nft: string;
  readonly conntrack: string;
  /** What the kernel's connection tracking is set to. */
  readonly conntrackSettings: ConntrackSettings;
  /** `no` leaves what kube-proxy has left. */
  readonly takeOver: 'auto' | 'no';
  readonly runDir: string;
  /** Where /healthz and /livez are answered; `undefined` for nowhere. */
  readonly healthz: BindAddress | undefined;
  /** A health server that cannot listen ends the daemon, instead of trying again. */
  readonly bindAddressHardFail: boolean;
  readonly log: Log;
}

/** Runs until the signal aborts. The data plane stays as it is: forwarding does not need the daemon. */
export async function run(settings: RunSettings, signal: AbortSignal): Promise<void> {
  const { log, proxy } = settings;
  const kernel = new Kernel({ command: settings.nft });
  const engine = new Engine(proxy);
  engine.setHostAddresses(hostAddresses());
  const conntrack = new Conntrack({ command: settings.conntrack });
  const cleaner = new FlowCleaner({ engine, conntrack, hostAddresses, log, clock: systemClock });
  const { healthz: address, bindAddressHardFail: hardFail } = settings;
  using health = new Health({ engine, address, hardFail, log, clock: systemClock });
  await health.open();
  const services = () => engine.store.services.size;
  const leftovers = new KubeProxyLeftovers({ nft: settings.nft });
  const takeOver = new TakeOver({ mode: settings.takeOver, leftovers, services, log, clock: systemClock });
  const observers: readonly SyncObserver[] = [
    new SyncLog({ log, services }),
    cleaner,
    ...health.observers,
    takeOver,
    { completed: giveBackMemory },
  ];
  const daemon = new Daemon({ engine, tables: kernel, log, clock: systemClock, observers });
  const [nftVersion, source] = await Promise.all([kernel.check(), openSource(settings, daemon)]);
  const path = adminSocketPath(settings.runDir);
  const state = () => ({ version: VERSION, pid: process.pid, source: source.name, ...engineState(engine) });
  const socket = await serveState(path, state).catch((error: unknown) => {
    if (error instanceof AdminError) throw error;
    log.warn('inspection is off: its socket cannot be made', { path, reason: String(error) });
  });
  tellOutcomes(await applyConntrackSettings(settings.conntrackSettings), log);
  log.info('started', { version: VERSION, nft: nftVersion, node: proxy.nodeName, source: source.name, socket: path });

  const stopped = new AbortController();
  const both = AbortSignal.any([signal, stopped.signal]);
  const stopPolling = pollHostAddresses(engine, daemon);
  try {
    const parts = [source.run(both), daemon.run(both), cleaner.run(both), takeOver.run(both)];
    await Promise.all(parts.map(guarded));
  } finally {
    stopPolling();
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

interface Source {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

async function openSource({ manifests, kubeconfig, proxy, log }: RunSettings, sink: Sink): Promise<Source> {
  if (manifests !== undefined) {
    const source = new DirectorySource({ directory: manifests, sink, log });
    return { name: `manifests in ${manifests}`, run: (signal) => source.run(signal) };
  }
  const client = await loadApiClient({ kubeconfig });
  const source = new ClusterSource({ client, nodeName: proxy.nodeName, sink, clock: systemClock, log });
  return { name: `API server ${client.server}`, run: (signal) => source.run(signal) };
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}

/** Interface addresses matter only where node ports are taken at addresses inside given blocks. */
function pollHostAddresses(engine: Engine, daemon: Daemon): () => void {
  if (engine.options.nodePortAddresses === 'primary') return () => {};
  const timer = setInterval(() => {
    const now = hostAddresses();
    if (now.join() === engine.hostAddresses.join()) return;
    engine.setHostAddresses(now);
    daemon.request();
  }, 1000);
  return () => clearInterval(timer);
}
