// Measures the peak memory of the children of a process.

import { allPids, memoryMb, parentOf, programOf } from './proc.ts';

/** The sampling interval. The kernel keeps the peak of each process, so only a child's last milliseconds can be missed. */
const EVERY_MS = 5;

/** Watches until stopped; returns megabytes. */
export function watchChildren(pid: number): { stop(): number } {
  const unrelated = new Set<number>();
  const own = programOf(pid);
  const children = new Set<number>();
  let peak = 0;
  const sample = (): void => {
    for (const seen of allPids()) {
      if (unrelated.has(seen)) continue;
      if (children.has(seen) || parentOf(seen) === pid) children.add(seen);
      else unrelated.add(seen);
    }
    for (const child of children) {
      // Until it executes another program, a child is a copy of its parent.
      if (programOf(child) !== own) peak = Math.max(peak, memoryMb(child, 'VmHWM'));
    }
  };
  const timer = setInterval(sample, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return peak;
    },
  };
}
