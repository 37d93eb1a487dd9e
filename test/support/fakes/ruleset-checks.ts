// Checks the elements of a FakeNftables: verdicts need their slots, and slots their verdicts.

import { FAMILIES, type Family } from '../../../src/net/family.ts';
import type { KernelListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import type { FakeNftables } from './fake-nftables.ts';

/** The maps with the slots of balance chains, by the first part of the chain's name. */
const SLOTS = {
  cluster: 'endpoints',
  external: 'endpoints',
  direct: 'endpoints',
  local: 'local-endpoints',
  nodeport: 'nodeport-endpoints',
  'nodeport-direct': 'nodeport-endpoints',
  'local-nodeport': 'local-nodeport-endpoints',
} as const;

const VERDICT_MAPS = [
  ...(['service-ips', 'service-nodeports', 'short-circuit-ips', 'short-circuit-nodeports'] as const),
  ...(['local-service-ips', 'local-service-nodeports'] as const),
];

/** The verdicts that would lose packets: those whose slots are incomplete. More slots than needed do no harm. */
export function danglingVerdicts(kernel: FakeNftables): string[] {
  const broken: string[] = [];
  for (const family of FAMILIES) {
    for (const map of VERDICT_MAPS) {
      for (const [key, { data }] of kernel.elements(family, map)) {
        if (lacksBranch(kernel, { family, map, key, data }))
          broken.push(`${family} ${map} ${key} : ${data} has no next verdict`);
        const target = slotsOf(data);
        if (target === undefined) continue;
        const slots = kernel.elements(family, target.object);
        for (let slot = 0; slot < target.count; slot++) {
          if (!slots.has(`${key} . ${slot}`)) broken.push(`${family} ${map} ${key} : ${data} lacks slot ${slot}`);
        }
      }
    }
  }
  return broken;
}

/** Verdicts whose chains continue with another lookup. */
const AFFINITY = /^goto affinity-(cluster|cluster-local|external|nodeport)\//;
const EXTERNAL_LOCAL = /^goto (?:affinity-)?(?:external|nodeport)-local(?:$|\/)/;

function lacksBranch(
  kernel: FakeNftables,
  { family, map, key, data }: { family: Family; map: string; key: string; data: string },
): boolean {
  const ends = map === 'service-ips' ? 'ips' : 'nodeports';
  const short = kernel.elements(family, `short-circuit-${ends}`).has(key);
  if (AFFINITY.test(data)) return !short;
  return EXTERNAL_LOCAL.test(data) && !short && !kernel.elements(family, `local-service-${ends}`).has(key);
}

/** Slots that no verdict uses; after a sync there must be none. */
export function orphanedSlots(kernel: FakeNftables): string[] {
  const orphaned: string[] = [];
  for (const family of FAMILIES) {
    const counted = new Set<string>();
    for (const map of VERDICT_MAPS) {
      for (const [key, { data }] of kernel.elements(family, map)) {
        const target = slotsOf(data);
        for (let slot = 0; slot < (target?.count ?? 0); slot++) counted.add(`${target?.object} ${key} . ${slot}`);
      }
    }
    for (const object of new Set(Object.values(SLOTS))) {
      for (const key of kernel.elements(family, object).keys()) {
        if (!counted.has(`${object} ${key}`)) orphaned.push(`${family} ${object} ${key}`);
      }
    }
  }
  return orphaned;
}

function slotsOf(data: string): { object: (typeof SLOTS)[keyof typeof SLOTS]; count: number } | undefined {
  const [, name = '', count = '0'] = /^goto (.+?)(?:-source)?-(\d+)$/.exec(data) ?? [];
  if (!Object.hasOwn(SLOTS, name)) return undefined;
  return { object: SLOTS[name as keyof typeof SLOTS], count: Number(count) };
}

/** All elements as texts. The slots of a frontend are one sorted list, because their order depends on history. */
export function contents(listing: KernelListing): string[] {
  const texts: string[] = [];
  for (const [object, elements] of listing.elements) {
    const slots = new Map<string, string[]>();
    for (const [key, { data, comment }] of elements) {
      if (!object.endsWith('endpoints')) texts.push(`${object} ${key} "${comment}" : ${data}`);
      else {
        const frontend = key.slice(0, key.lastIndexOf(' . '));
        slots.set(frontend, [...(slots.get(frontend) ?? []), `"${comment}" ${data}`]);
      }
    }
    for (const [frontend, slotTexts] of slots) texts.push(`${object} ${frontend} : ${slotTexts.sort().join(', ')}`);
  }
  return texts.sort();
}
