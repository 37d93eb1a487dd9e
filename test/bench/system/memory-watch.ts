// The most memory that any child of a process takes.
import { allPids, memoryMb, parentOf, programOf } from './proc.ts';

/** The kernel keeps the peak of each process, so that only what a child takes in its last moments can be missed. */
const EVERY_MS = 5;

/** Watches until stopped; gives megabytes. */
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
      // Until it runs a program of its own, a child is a copy of its parent.
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
