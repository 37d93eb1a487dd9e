// What the slots of a frontend are to hold: which endpoints, and each how often.

import type { Backend } from '../../services/model/backends.ts';
import type { Service } from '../../services/objects/service.ts';
import { maglevTable } from '../plan/maglev.ts';
import { concat } from '../syntax/element.ts';

/** Endpoints as `address . port`, in the order of slots for the balance that the Service asks for. */
export function desiredSlots({ balance, weights }: Service, backends: readonly Backend[]): string[] {
  const shares = backends.map(({ address, port }) => ({ name: concat(address, port), weight: weights[address] ?? 1 }));
  const used = shares.filter(({ weight }) => weight > 0);
  if (balance === 'maglev') return maglevTable(used);
  const gcd = used.reduce((divisor, { weight }) => commonDivisor(divisor, weight), 0);
  return used.flatMap(({ name, weight }) => new Array<string>(weight / gcd).fill(name));
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
