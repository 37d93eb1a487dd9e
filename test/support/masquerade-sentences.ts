// Reads what an explanation says about masquerading.

import type { FlowOutcome } from '../../src/explain/flow/flow-outcome.ts';
import { printAddressPort } from '../../src/net/address-port.ts';

const SENTENCE =
  /^(?<not>not )?masqueraded: (?<subject>\S.*?) sees? (?<seen>an address of this node|the client address), because \S/;

/** Whether an endpoint sees the client masqueraded; `all` means every endpoint. */
export type Masquerading = Record<string, boolean>;

/** What these lines say. Throws an error if one of them mentions masquerading otherwise, or if they contradict each other. */
export function readMasquerading(lines: readonly string[]): Masquerading {
  const found: Masquerading = {};
  for (const line of lines) {
    const { not, subject = '', seen } = SENTENCE.exec(line.trim())?.groups ?? {};
    if (subject === '') {
      if (/masquerad|sees? (the client|an) address/.test(line)) throw new Error(`not a sentence: ${line}`);
      continue;
    }
    const masquerade = not === undefined;
    if (masquerade !== (seen === 'an address of this node')) throw new Error(`contradiction: ${line}`);
    for (const name of subject === 'endpoints' ? ['all'] : subject.split(', ')) {
      if (name in found || 'all' in found) throw new Error(`said twice: ${lines.join('; ')}`);
      found[name] = masquerade;
    }
  }
  return found;
}

/** What the lines say about each destination of the outcome, and what the outcome is, if they differ. */
export function contradictions(
  lines: readonly string[],
  { destinations }: Pick<FlowOutcome, 'destinations'>,
): string[] {
  const said = readMasquerading(lines);
  const names = new Set<string>();
  const differences = destinations.flatMap(({ address, port, masquerade }) => {
    const name = printAddressPort({ address, port });
    names.add(name);
    const saidHere = said[name] ?? said['all'];
    return saidHere === masquerade ? [] : [`${name}: said ${saidHere}, is ${masquerade}`];
  });
  const others = Object.keys(said).filter((name) => !names.has(name) && (name !== 'all' || names.size === 0));
  return [...differences, ...others.map((name) => `${name}: said, but not a destination`)];
}
