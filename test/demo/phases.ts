// Shares of connections by pod, in phases of a second.

import { setTimeout as delay } from 'node:timers/promises';
import type { RunningDial } from '../support/netns/traffic/dialer-process.ts';
import { percent } from './report.ts';

const PHASE_MS = 1000;

export class Phases {
  readonly #dial: RunningDial;
  readonly #counts = new Map<string, ReadonlyMap<string, number>>();

  constructor(dial: RunningDial) {
    this.#dial = dial;
  }

  /** Counts the connections of the next phase. */
  async run(name: string): Promise<void> {
    const { pods: before } = await this.#dial.snapshot();
    await delay(PHASE_MS);
    const { pods: after } = await this.#dial.snapshot();
    this.#counts.set(name, new Map(Object.entries(after).map(([pod, count]) => [pod, count - (before[pod] ?? 0)])));
  }

  /** A pod's share of a phase, from 0 to 1. */
  share(name: string, pod: string): number {
    const counts = this.#counts.get(name) ?? new Map<string, number>();
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return total === 0 ? 0 : (counts.get(pod) ?? 0) / total;
  }

  /** Rows of a table, with a column for each phase. */
  rows(service: string, pods: readonly string[]): string[][] {
    const phases = [...this.#counts.keys()];
    const cell = (share: number) => (share === 0 ? '     -' : percent(share));
    return pods.map((pod) => [service, pod, ...phases.map((phase) => cell(this.share(phase, pod)))]);
  }
}
