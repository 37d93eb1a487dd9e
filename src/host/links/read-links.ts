// Reads the addresses of all links, and routes to single destinations, as the kernel chooses them.

import * as z from 'zod/mini';
import { type Address, parseAddress } from '../../net/address.ts';
import type { Link, LinkAddress } from '../../net/masquerade-source.ts';
import { SHORT_TIMEOUT_MS, type System } from '../process/system.ts';

const ADDRESS = z.object({
  local: z.optional(z.string()),
  address: z.optional(z.string()),
  prefixlen: z.optional(z.number()),
  scope: z.optional(z.string()),
  secondary: z.optional(z.boolean()),
  deprecated: z.optional(z.boolean()),
  temporary: z.optional(z.boolean()),
  tentative: z.optional(z.boolean()),
  dadfailed: z.optional(z.boolean()),
});
const LINKS = z.array(z.object({ ifname: z.optional(z.string()), addr_info: z.optional(z.array(ADDRESS)) }));
const ROUTES = z.array(
  z.object({ dev: z.optional(z.string()), gateway: z.optional(z.string()), prefsrc: z.optional(z.string()) }),
);

/** In the order of the kernel. Rejects if `ip` cannot be run. */
export async function readLinks({ run }: Pick<System, 'run'>): Promise<Link[]> {
  const { stdout } = await run('ip', ['-json', 'address', 'show'], { timeoutMs: SHORT_TIMEOUT_MS });
  return LINKS.parse(JSON.parse(stdout || '[]')).flatMap(({ ifname, addr_info: entries = [] }) =>
    ifname === undefined ? [] : [{ name: ifname, addresses: entries.flatMap(toLinkAddress) }],
  );
}

function toLinkAddress(entry: z.infer<typeof ADDRESS>): LinkAddress[] {
  const address = parseAddress(entry.local ?? '');
  if (address === undefined || entry.prefixlen === undefined) return [];
  return [
    {
      address,
      peer: parseAddress(entry.address ?? '') ?? address,
      prefixLength: entry.prefixlen,
      scope: entry.scope === 'global' ? 'global' : 'other',
      isSecondary: entry.secondary === true,
      isDeprecated: entry.deprecated === true,
      isTemporary: entry.temporary === true,
      isTentative: entry.tentative === true || entry.dadfailed === true,
    },
  ];
}

interface RouteTo {
  readonly device: string;
  /** The gateway, or the destination. */
  readonly nextHop: Address;
  /** The source that a process of this host would use. */
  readonly source: Address | undefined;
}

/** The route of packets of this host without marks; `undefined` if there is none. Rejects if `ip` cannot be run. */
export async function routeTo(destination: Address, { run }: Pick<System, 'run'>): Promise<RouteTo | undefined> {
  const { stdout, status } = await run('ip', ['-json', 'route', 'get', destination], { timeoutMs: SHORT_TIMEOUT_MS });
  const [route] = status === 0 ? ROUTES.parse(JSON.parse(stdout || '[]')) : [];
  if (route?.dev === undefined) return undefined;
  return {
    device: route.dev,
    nextHop: parseAddress(route.gateway ?? '') ?? destination,
    source: parseAddress(route.prefsrc ?? ''),
  };
}
