// Counters of closed connections whose log is discarded.

import { systemClock } from '../../../src/host/clock.ts';
import { Evictions } from '../../../src/host/network/evictions.ts';
import { silentLog } from './silent-log.ts';

export function newEvictions(): Evictions {
  return new Evictions({ log: silentLog, clock: systemClock });
}
