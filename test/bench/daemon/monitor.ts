// Observes commits with `nft monitor`.

import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Namespace } from '../../support/netns/namespace.ts';
import { killGroup } from '../../support/netns/process.ts';
import { cpuSeconds } from '../system/proc.ts';

const IDLE_MS = 300;

export interface Monitor {
  /** Runs an action and returns the milliseconds until the next commit, or `undefined` after the time limit. */
  timeCommit(action: () => unknown, timeoutMs: number): Promise<number | undefined>;
  stop(): void;
}

/** Resolves when the monitor listens. */
export async function startMonitor(namespace: Namespace): Promise<Monitor> {
  const child = namespace.spawn('nft', ['monitor']);
  await waitUntilIdle(child.pid ?? 0);
  let onCommit = (): void => {};
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('# new generation')) onCommit();
  });
  child.stderr.resume();
  return {
    async timeCommit(action, timeoutMs) {
      const committed = new Promise<number>((resolve) => {
        onCommit = () => resolve(performance.now());
      });
      const started = performance.now();
      action();
      const timer = new AbortController();
      const timedOut = delay(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
      const at = await Promise.race([committed, timedOut]);
      timer.abort();
      return at === undefined ? undefined : at - started;
    },
    stop: () => killGroup(child),
  };
}

/** `nft monitor` first lists the kernel's ruleset for some seconds, and restarts the listing when the ruleset changes. */
async function waitUntilIdle(pid: number): Promise<void> {
  for (let before = -1, now = 0; before < now; now = cpuSeconds(pid)) {
    before = now;
    await delay(IDLE_MS);
  }
}
