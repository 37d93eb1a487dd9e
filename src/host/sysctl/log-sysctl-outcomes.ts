// What the log says of kernel settings.
import type { Log } from '../log.ts';
import { type SysctlOutcome, sysctlName } from './apply-sysctls.ts';

/** Tells what was changed and what could not be. */
export function logSysctlOutcomes(outcomes: readonly SysctlOutcome[], log: Log): void {
  for (const { path, value, before, state, reason } of outcomes) {
    const setting = sysctlName(path);
    if (state === 'changed') log.info('kernel setting changed', { setting, value, before });
    if (state === 'failed') log.warn('kernel setting not changed', { setting, value, before, reason });
    if (state === 'host-wide') {
      const note = 'it belongs to the whole machine: set it outside of this network namespace';
      log.info('kernel setting left alone', { setting, value, before, note });
    }
  }
}
