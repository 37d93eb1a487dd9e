// Counts the rules of each chain in the output of `nft -t list table`.

const CHAIN = /^\tchain (\S+) \{$/;
const HOOK = /^\t\ttype \S+ hook /;

/** The number of rules by chain name. */
export function readRuleCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  let chain: string | undefined;
  for (const line of text.split('\n')) {
    const [, name] = CHAIN.exec(line) ?? [];
    if (name !== undefined) counts.set(name, 0);
    chain = name ?? (line === '\t}' ? undefined : chain);
    if (chain !== undefined && name === undefined && !HOOK.test(line) && line.trim() !== '')
      counts.set(chain, (counts.get(chain) ?? 0) + 1);
  }
  return counts;
}
