// `run --init-only`: the kernel settings alone, for an init container that may do more than the daemon.
import type { ConntrackConfig } from '../config/settings.ts';
import type { Log } from '../sys/log.ts';
import { applyConntrackSettings } from '../sysctl/apply-settings.ts';
import { tellOutcomes } from '../sysctl/tell-outcomes.ts';
import { CommandError, EXIT } from './exit-status.ts';

/** Sets them. Throws {@link CommandError} when one could not be set: this is what it was called for. */
export async function initOnly(settings: ConntrackConfig, log: Log): Promise<void> {
  const outcomes = await applyConntrackSettings(settings);
  tellOutcomes(outcomes, log);
  const problems = outcomes.flatMap(({ state, problem }) => (state === 'failed' ? [problem] : []));
  if (problems.length > 0) throw new CommandError(EXIT.environment, problems.join('\n'));
}
