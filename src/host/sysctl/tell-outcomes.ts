// What the log says of kernel settings.
import type { Log } from '../log.ts';
import { type Outcome, settingName } from './apply-settings.ts';

/** Tells what was changed and what could not be. */
export function tellOutcomes(outcomes: readonly Outcome[], log: Log): void {
  for (const { path, value, before, state, problem } of outcomes) {
    const setting = settingName(path);
    if (state === 'changed') log.info('kernel setting changed', { setting, value, before });
    if (state === 'failed') log.warn('kernel setting not changed', { setting, value, before, problem });
    if (state === 'elsewhere') {
      const note = 'it belongs to the whole machine: set it outside of this network namespace';
      log.info('kernel setting left alone', { setting, value, before, note });
    }
  }
}
