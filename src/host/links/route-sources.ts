// The preferred sources of routes, and their changes.

import * as z from 'zod/mini';
import { parseAddress } from '../../net/address.ts';
import type { RouteSource } from '../../net/host.ts';
import { hostSystem, SHORT_TIMEOUT_MS, type System } from '../process/system.ts';
import { readLinks } from './read-links.ts';

const HOP = z.object({ dev: z.optional(z.string()) });
const ROUTES = z.array(z.object({ ...HOP.shape, prefsrc: z.optional(z.string()), nexthops: z.optional(z.array(HOP)) }));
/** The kernel allows quotes and asterisks in names, which mean something else in a rule. */
const LINK_NAME = /^[\w.@-]+$/;
/** A host has a few; each becomes a rule. */
const MAX_SOURCES = 64;

/**
 * The preferred sources in the main routing table, of links that do not have this address: those for which masquerading takes
 * another. Sorted, and at most {@link MAX_SOURCES}. Rejects if `ip` cannot be run.
 */
export async function readRouteSources({ run }: Pick<System, 'run'> = hostSystem): Promise<RouteSource[]> {
  const links = new Map((await readLinks({ run })).map(({ name, addresses }) => [name, addresses]));
  const found = new Map<string, RouteSource>();
  for (const flag of ['-4', '-6']) {
    const args = ['-json', flag, 'route', 'show', 'table', 'main'];
    const { stdout } = await run('ip', args, { timeoutMs: SHORT_TIMEOUT_MS });
    for (const { prefsrc, dev, nexthops } of ROUTES.parse(JSON.parse(stdout || '[]'))) {
      const address = parseAddress(prefsrc ?? '');
      if (address === undefined) continue;
      for (const link of nexthops?.map((hop) => hop.dev) ?? [dev]) {
        if (
          link === undefined ||
          !LINK_NAME.test(link) ||
          links.get(link)?.some((own) => own.address === address) !== false
        )
          continue;
        found.set(`${link} ${address}`, { address, link });
      }
    }
  }
  return [...found]
    .sort()
    .slice(0, MAX_SOURCES)
    .map(([, source]) => source);
}
