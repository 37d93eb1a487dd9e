// The source of the daemon's objects: a directory of manifests, or an API server.

import { adminSocketPath } from '../admin/admin-socket.ts';
import { HoldFile, holdFilePath } from '../admin/state-file/hold-file.ts';
import type { Settings } from '../config/settings.ts';
import type { Store } from '../engine/store.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import type { Sink } from '../services/objects/sink.ts';
import { loadApiClient } from '../sources/api-server/client/api-client.ts';
import { ClusterSource } from '../sources/api-server/cluster-source.ts';
import type { LossLimits } from '../sources/guard/assess-loss.ts';
import { SourceGuard } from '../sources/guard/source-guard.ts';
import type { HoldRecord } from '../sources/guard/start-hold.ts';
import { DirectorySource } from '../sources/manifests/directory-source.ts';
import { apiServerStatus } from '../sources/status/api-server-status.ts';
import { manifestsStatus } from '../sources/status/manifests-status.ts';
import type { SourceStatus } from '../sources/status/source-status.ts';
import type { Telemetry } from './telemetry.ts';

export interface ObjectSource {
  /** For messages. */
  readonly name: string;
  /** How current its objects are. */
  status(): SourceStatus;
  /** What it seems to lose is kept for a while. */
  readonly guard: SourceGuard;
  /** Delivers objects to the sink until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface ObjectSourceOptions {
  readonly log: Log;
  readonly sink: Sink;
  readonly store: Store;
  readonly telemetry: Telemetry;
  /** The limits in force. */
  readonly lossLimits: () => LossLimits;
}

/** Opens the source of the settings. Rejects with a `ClusterConfigError` if the API server cannot be used. */
export async function openSource(settings: Settings, options: ObjectSourceOptions): Promise<ObjectSource> {
  const { manifests, proxy, kubeProxy, nftlane } = settings;
  const { log, telemetry } = options;
  const record = await HoldFile.open(holdFilePath(adminSocketPath(nftlane.runDir)));
  const guard = createGuard(proxy.nodeName, { ...options, record });
  const sink = guard;
  const startedAt = systemClock.now();
  if (manifests !== undefined) {
    const source = new DirectorySource({ directory: manifests, sink, log });
    const name = `manifests in ${manifests}`;
    const status = () => manifestsStatus({ name, state: source.state(), startedAt, now: systemClock.now() });
    return guarded({ name, status, guard, run: (signal) => source.run(signal) });
  }
  const client = await loadApiClient(kubeProxy.clientConnection, telemetry.requestObserver);
  const source = new ClusterSource({ client, nodeName: proxy.nodeName, sink, clock: systemClock, log });
  telemetry.connectApiServer(client, () => source.states());
  const name = `API server ${client.server}`;
  const status = () => apiServerStatus({ name, states: source.states(), startedAt, now: systemClock.now() });
  return guarded({ name, status, guard, run: (signal) => source.run(signal) });
}

function createGuard(
  nodeName: string,
  { log, store, telemetry, lossLimits, sink, record }: ObjectSourceOptions & { readonly record: HoldRecord },
): SourceGuard {
  const guard = new SourceGuard({
    sink: telemetry.countingSink(sink),
    store,
    nodeName,
    limits: lossLimits,
    record,
    clock: systemClock,
    log,
    onHold: (event) => telemetry.reportHold(event),
  });
  telemetry.setHoldCounts(() => guard.counts);
  return guard;
}

/** Adds what is kept to the problems of a source. */
function guarded(source: ObjectSource): ObjectSource {
  const { guard } = source;
  const status = (): SourceStatus => {
    const own = source.status();
    return { ...own, problems: [...own.problems, ...guard.problems()] };
  };
  return { ...source, status, run: (signal) => source.run(signal).finally(() => guard.close()) };
}
