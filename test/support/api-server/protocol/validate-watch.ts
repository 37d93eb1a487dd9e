// Validates the parameters of a watch as a real server does.

import type { ServerSettings } from '../server-settings.ts';

/** Why the watch is invalid (422); `undefined` if it is valid. */
export function validateWatch(query: URLSearchParams, { watchList }: ServerSettings): string | undefined {
  const [initial, match] = [query.get('sendInitialEvents'), query.get('resourceVersionMatch')];
  if (watchList === 'ignore' || (initial === null && match === null)) return undefined;
  if (watchList === 'refuse') {
    const state = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
    return `sendInitialEvents: Forbidden: ${state}`;
  }
  if (initial === null) return 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch';
  if (match !== 'NotOlderThan') return 'resourceVersionMatch: Forbidden: sendInitialEvents requires NotOlderThan';
  return undefined;
}
