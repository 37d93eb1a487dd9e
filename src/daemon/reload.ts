// Reads the configuration file again when it changes or with SIGHUP, and applies a change or restarts the daemon.

import { compareSettings } from '../config/compare-settings.ts';
import type { LoadedSettings, Settings } from '../config/settings.ts';
import { watchConfiguration } from '../config/watch-configuration.ts';
import type { Log } from '../host/log.ts';
import { onHangUp } from '../host/process/signals.ts';
import { errorMessage } from '../lib/error-message.ts';

interface ReloadOptions {
  readonly settings: Settings;
  /** Reads the configuration file and the flags again. Rejects with a `ConfigurationError`. */
  readonly reload: () => Promise<LoadedSettings>;
  readonly log: Log;
  /** Applies changes that do not need a restart. */
  readonly apply: (settings: Settings) => Promise<void>;
  /** Stops the daemon, to be restarted. */
  readonly restart: () => void;
  readonly signal: AbortSignal;
}

/** Watches the configuration file, if any, and SIGHUP until the signal aborts. */
export function watchAndReload(options: ReloadOptions): void {
  const { log, signal } = options;
  const { configFile: path } = options.settings;
  if (path === undefined) {
    onHangUp(() => log.info('no configuration file to read again after SIGHUP'), signal);
    return;
  }
  let current = Promise.resolve(options.settings);
  const onChange = (): void => {
    current = current.then((previous) => applyChange(options, path, previous));
  };
  watchConfiguration({ path, onChange, signal });
  onHangUp(() => {
    log.info('reading the configuration file again after SIGHUP', { file: path });
    onChange();
  }, signal);
}

/** Resolves with the settings in force after the change. */
async function applyChange(
  { reload, log, apply, restart }: ReloadOptions,
  file: string,
  current: Settings,
): Promise<Settings> {
  let next: Settings;
  try {
    next = (await reload()).settings;
  } catch (error) {
    const reason = errorMessage(error);
    log.error('changed configuration is invalid; keeping the previous one', { file, reason });
    return current;
  }
  const { fields, action } = compareSettings(current, next);
  if (action === 'restart') {
    log.info('configuration changed; exiting to restart', { file, fields });
    restart();
    return current;
  }
  if (action === 'apply') await apply(next);
  const effect = action === 'apply' ? 'applied' : 'none';
  log.info('configuration changed', { file, fields, effect });
  return next;
}
