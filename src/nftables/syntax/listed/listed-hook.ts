// Prints the hooks of listed base chains.

import type { ListedHook } from '../listed-table.ts';

/** In the form in which our own hooks are printed. */
export function printListedHook({ type, hook, priority, policy, rest }: ListedHook): string {
  return `type ${type} hook ${hook}${rest === '' ? '' : ` ${rest}`} priority ${priority ?? 'unknown'}; policy ${policy};`;
}
