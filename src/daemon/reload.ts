// What becomes of a changed configuration file: applied at work, a new start, or nothing.

import type { LoadedSettings } from '../cli/flags/proxy-flags.ts';
import { compareSettings } from '../config/compare-settings.ts';
import type { Settings } from '../config/settings.ts';
import { watchConfiguration } from '../config/watch-configuration.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';

export interface ReloadParts {
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
export function followConfiguration(parts: ReloadParts): void {
  const { configFile: path } = parts.settings;
  if (path === undefined) return;
  let current = Promise.resolve(parts.settings);
  const onChange = (): void => {
    current = current.then((before) => takeIn(parts, path, before));
  };
  watchConfiguration({ path, onChange, signal: parts.signal });
}

/** The settings that hold from now on. */
async function takeIn(
  { reload, log, apply, restart }: ReloadParts,
  file: string,
  current: Settings,
): Promise<Settings> {
  let next: Settings;
  try {
    next = reload().settings;
  } catch (error) {
    const reason = reasonOf(error);
    log.error('the changed configuration cannot be used; the old one stays', { file, reason });
    return current;
  }
  const { fields, needs } = compareSettings(current, next);
  if (needs === 'restart') {
    log.info('ending to be started with a changed configuration', { file, fields });
    restart();
    return current;
  }
  if (needs === 'apply') await apply(next);
  const effect = needs === 'apply' ? 'applied' : 'nothing to do';
  log.info('the configuration changed', { file, fields, effect });
  return next;
}
