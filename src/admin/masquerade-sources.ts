// Which source address masquerading gives to packets to some endpoints, by the links and routes of this host.

import { readLinks, routeTo } from '../host/links/read-links.ts';
import type { System } from '../host/process/system.ts';
import type { Address } from '../net/address.ts';
import { masqueradeSource } from '../net/masquerade-source.ts';

export interface MasqueradedEndpoint {
  /** The address of the endpoint. */
  readonly endpoint: Address;
  /** The link by which packets leave. */
  readonly device: string;
  /** What the endpoint sees; `undefined` if the kernel finds none, and drops the packets. */
  readonly source: Address | undefined;
  /** The link that has this address. */
  readonly link: string | undefined;
  /** The source that the route prefers: what processes of this node use without a Service. */
  readonly preferred: Address | undefined;
}

/** Each is a run of `ip`. */
const MAX_ENDPOINTS = 8;

/** For the first endpoints, and only those with a route. Rejects if `ip` cannot be run. */
export async function masqueradeSources(
  endpoints: readonly Address[],
  system: Pick<System, 'run'>,
): Promise<MasqueradedEndpoint[]> {
  if (endpoints.length === 0) return [];
  const links = await readLinks(system);
  const found: MasqueradedEndpoint[] = [];
  for (const endpoint of [...new Set(endpoints)].slice(0, MAX_ENDPOINTS)) {
    const route = await routeTo(endpoint, system);
    if (route === undefined) continue;
    const { device, nextHop, source: preferred } = route;
    const { address: source, link } = masqueradeSource(links, { device, nextHop, destination: endpoint }) ?? {};
    found.push({ endpoint, device, source, link, preferred });
  }
  return found;
}

/** A sentence for each source and link. */
export function describeMasqueradeSources(found: readonly MasqueradedEndpoint[]): string[] {
  const groups = Map.groupBy(found, ({ device, source }) => `${device} ${source}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { device, source, link, preferred } = first;
    const to = `to ${group.map(({ endpoint }) => endpoint).join(', ')} through ${device}`;
    if (source === undefined) return [`no source address ${to}: the kernel drops these packets`];
    if (link === device) return [`the source ${to} is ${source}, an address of this link`];
    const other = preferred === undefined || preferred === source ? '' : `; the route prefers ${preferred}`;
    return [`the source ${to}, which has no address for this, is ${source} of ${link}${other}`];
  });
}
