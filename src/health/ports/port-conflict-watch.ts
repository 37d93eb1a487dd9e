// Looks for node ports that take connections from processes of this node, in the background.

import type { Engine } from '../../engine/engine.ts';
import { type ListeningSocket, listeningSockets } from '../../host/network/listeners.ts';
import { findPortConflicts } from '../../services/model/port-conflicts.ts';

interface PortConflictWatchOptions {
  readonly engine: Pick<Engine, 'store' | 'node' | 'issues' | 'setPortIssues'>;
  /** Requests a sync, which reports issues. */
  readonly requestSync: () => void;
  readonly signal: AbortSignal;
  readonly sockets?: () => Promise<readonly ListeningSocket[]>;
  readonly intervalMs?: number;
}

/** Reading the sockets and searching 10,000 Services takes 2 ms. */
const INTERVAL_MS = 5_000;

/** Runs until the signal aborts. */
export function watchPortConflicts(options: PortConflictWatchOptions): void {
  const { signal, intervalMs = INTERVAL_MS } = options;
  const timer = setInterval(() => void update(options), intervalMs).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
}

async function update({ engine, requestSync, sockets = listeningSockets }: PortConflictWatchOptions): Promise<void> {
  const listeners = await sockets();
  const before = engine.issues();
  engine.setPortIssues(findPortConflicts(engine.store.services.values(), { listeners, scope: engine.node }));
  if (engine.issues() !== before) requestSync();
}
