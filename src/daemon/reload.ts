// What becomes of a changed configuration file: applied at work, a new start, or nothing.

import { compareSettings } from '../config/compare-settings.ts';
import type { LoadedSettings, Settings } from '../config/settings.ts';
import { watchConfiguration } from '../config/watch-configuration.ts';
import type { Log } from '../host/log.ts';
import { errorMessage } from '../lib/error-message.ts';

export interface ReloadOptions {
  readonly settings: Settings;
  /** Reads file and flags again. Throws what the command line would be told. */
  readonly reload: () => LoadedSettings;
  readonly log: Log;
  /** Takes in what can be changed at work. */
  readonly apply: (settings: Settings) => Promise<void>;
  /** Ends the process, so that it is started again. */
  readonly restart: () => void;
  readonly signal: AbortSignal;
}

/** Follows the configuration file, where there is one, until the signal aborts. */
export function watchAndReload(options: ReloadOptions): void {
  const { configFile: path } = options.settings;
  if (path === undefined) return;
  let current = Promise.resolve(options.settings);
  const onChange = (): void => {
    current = current.then((previous) => applyChange(options, path, previous));
  };
  watchConfiguration({ path, onChange, signal: options.signal });
}

/** The settings that hold from now on. */
async function applyChange(
  { reload, log, apply, restart }: ReloadOptions,
  file: string,
  current: Settings,
): Promise<Settings> {
  let next: Settings;
  try {
    next = reload().settings;
  } catch (error) {
    const reason = errorMessage(error);
    log.error('the changed configuration cannot be used; the old one stays', { file, reason });
    return current;
  }
  const { fields, action } = compareSettings(current, next);
  if (action === 'restart') {
    log.info('ending to be started with a changed configuration', { file, fields });
    restart();
    return current;
  }
  if (action === 'apply') await apply(next);
  const effect = action === 'apply' ? 'applied' : 'nothing to do';
  log.info('the configuration changed', { file, fields, effect });
  return next;
}
