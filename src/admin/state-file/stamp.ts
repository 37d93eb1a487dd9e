// The time at which a file was written, from which another process can tell its age.

import { readFileSync } from 'node:fs';
import { asObject } from '../../services/objects/read.ts';

export interface Stamp {
  /** The kernel's monotonic clock in milliseconds, which all processes share until a reboot. */
  readonly monotonicMs: number;
  readonly bootId: string;
  /** Milliseconds since 1970, for the age after a reboot. */
  readonly wallMs: number;
}

/** The present. */
export function stampNow(): Stamp {
  return { monotonicMs: Number(process.hrtime.bigint() / 1_000_000n), bootId: bootId(), wallMs: Date.now() };
}

/** Milliseconds since `stamp`. After a reboot by the wall clock, which may have been set; never negative. */
export function ageOf(stamp: Stamp, now: Stamp = stampNow()): number {
  const isSameBoot = stamp.bootId !== '' && stamp.bootId === now.bootId;
  return Math.max(0, isSameBoot ? now.monotonicMs - stamp.monotonicMs : now.wallMs - stamp.wallMs);
}

/** Whether a value from a file is a stamp. */
export function isStamp(value: unknown): value is Stamp {
  const { monotonicMs, wallMs, bootId } = asObject(value);
  return typeof monotonicMs === 'number' && typeof wallMs === 'number' && typeof bootId === 'string';
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
