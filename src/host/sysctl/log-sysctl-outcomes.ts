// Logs the results of setting sysctls.

import type { Log } from '../log.ts';
import { type SysctlOutcome, sysctlName } from './apply-sysctls.ts';

/** Logs changes and failures. */
export function logSysctlOutcomes(outcomes: readonly SysctlOutcome[], log: Log): void {
  for (const { path, value, before, state, reason } of outcomes) {
    const fields = { setting: sysctlName(path), value, before };
    if (state === 'changed') log.info('sysctl changed', fields);
    if (state === 'failed') log.warn('cannot set sysctl', { ...fields, reason });
    if (state === 'host-wide')
      log.info('host-wide sysctl not changed', { ...fields, hint: 'set it in the initial network namespace' });
  }
}
