// Checks the source that masquerading gives to packets to endpoints.

import { knownState } from '../admin/ask-daemon.ts';
import { masqueradeSources } from '../admin/masquerade-sources.ts';
import { parseRoutes, parseRoutes6 } from '../host/network/read-host.ts';
import { type Address, familyOf } from '../net/address.ts';
import { outputInterface } from '../net/host.ts';
import { type Check, type DoctorContext, ok, warning } from './check.ts';

const NAME = 'masquerade';

/**
 * A link without an address of its own makes the kernel take one of another link, the first that has one. That may be an
 * address that the endpoints cannot answer, such as one of a load balancer on the loopback interface.
 */
export async function checkMasquerade({ daemon, system }: DoctorContext): Promise<Check[]> {
  const { state } = knownState(daemon);
  if (state === undefined) return [];
  const addresses = state.objects.EndpointSlice.flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
  const found = await masqueradeSources(await onePerLink(addresses, system), system);
  const node = state.objects.Node.find(({ key }) => key === state.options.nodeName);
  const own = new Set<Address | undefined>([...Object.values(node?.addresses ?? {}), state.options.bindAddress]);
  const foreign = found.filter(({ device, link, source, preferred }) => {
    return link !== device && source !== preferred && !own.has(source);
  });
  if (foreign.length === 0) return [ok(NAME, 'the links to endpoints have addresses, or those of the node are taken')];
  const sources = foreign.map(({ device, source, link, preferred }) => {
    const taken = source === undefined ? 'none' : `${source} of ${link}`;
    return `${device}: ${taken}${preferred === undefined ? '' : `, while the route prefers ${preferred}`}`;
  });
  const message = `masqueraded packets get an address of another link, because theirs has none: ${sources.join('; ')}`;
  const advice =
    'give the link an address of the node, or see that endpoints can reply to this one; processes of the node: keepRouteSource';
  return [warning(NAME, message, advice)];
}

/** A search among routes for each of 100,000 endpoints would take seconds. */
const MAX_SAMPLES = 500;

/** An endpoint for each family and link, by the routes of this host. */
async function onePerLink(addresses: readonly Address[], { read }: DoctorContext['system']): Promise<Address[]> {
  const [routes, routes6] = await Promise.all(['/proc/net/route', '/proc/net/ipv6_route'].map(read));
  const host = { addresses: [], routes: [...parseRoutes(routes ?? ''), ...parseRoutes6(routes6 ?? '')] };
  const byLink = new Map<string, Address>();
  const step = Math.ceil(addresses.length / MAX_SAMPLES);
  for (const [index, address] of addresses.entries()) {
    if (index % step !== 0) continue;
    const key = `${familyOf(address)} ${outputInterface(host, address)}`;
    if (!byLink.has(key)) byLink.set(key, address);
  }
  return [...byLink.values()];
}
