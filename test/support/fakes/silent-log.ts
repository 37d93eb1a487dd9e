// A log that discards everything.

import type { Log } from '../../../src/host/log.ts';

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
