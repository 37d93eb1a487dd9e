// Which address families the cluster uses on this machine: settings of the other one do not matter.

import * as z from 'zod/mini';
import { knownState } from '../admin/ask-daemon.ts';
import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { SHORT_TIMEOUT_MS } from '../host/process/system.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import type { DoctorContext } from './check.ts';

/** `unknown`: the Services are not known, and the machine has addresses of both families. */
export type FamilyUse = { readonly used: 'yes' | 'unknown' } | { readonly used: 'no'; readonly reason: string };

/** By the Services that a daemon knows or knew, or else by the addresses of this machine. */
export async function familyUse(context: Pick<DoctorContext, 'daemon' | 'system'>): Promise<Record<Family, FamilyUse>> {
  const { families, what } = await usedFamilies(context);
  const ipv6Unavailable = await ipv6UnavailableReason(context.system.read);
  const useOf = (family: Family): FamilyUse => {
    if (family === 'ip6' && ipv6Unavailable !== undefined) return { used: 'no', reason: ipv6Unavailable };
    if (families.length === 0) return { used: 'unknown' };
    const { label } = FAMILY_TRAITS[family];
    if (!families.includes(family)) return { used: 'no', reason: `no ${what} has an ${label} address` };
    return { used: what === 'Service' || families.length === 1 ? 'yes' : 'unknown' };
  };
  return { ip: useOf('ip'), ip6: useOf('ip6') };
}

async function usedFamilies({ daemon, system }: Pick<DoctorContext, 'daemon' | 'system'>) {
  const services = knownState(daemon).state?.objects.Service ?? [];
  const families = FAMILIES.filter((family) => services.some(({ clusterIps }) => clusterIps[family] !== undefined));
  if (families.length > 0) return { families, what: 'Service' } as const;
  return { families: await hostFamilies(system), what: 'interface' } as const;
}

const LINKS = z.array(z.object({ addr_info: z.optional(z.array(z.object({ family: z.optional(z.string()) }))) }));
const NAMES: Readonly<Record<Family, string>> = { ip: 'inet', ip6: 'inet6' };

/** The families of addresses that are neither loopback nor link-local; none if they cannot be read. */
async function hostFamilies({ run }: DoctorContext['system']): Promise<Family[]> {
  const args = ['-json', 'address', 'show', 'scope', 'global'];
  const text = await run('ip', args, { timeoutMs: SHORT_TIMEOUT_MS }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const links = LINKS.parse(JSON.parse(text || '[]'));
  const found = new Set(links.flatMap(({ addr_info = [] }) => addr_info.map(({ family }) => family)));
  return FAMILIES.filter((family) => found.has(NAMES[family]));
}
