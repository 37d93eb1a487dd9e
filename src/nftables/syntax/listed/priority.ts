// Priorities of base chains as nft prints them: `dstnat - 10`, `filter + 7`, `-110`.

const NAMES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

/** The priority in the families ip, ip6 and inet; `undefined` for a name that they do not have. */
export function readPriority(text: string): number | undefined {
  const [, name, sign, offset = '0'] = /^([a-z]+)(?: ([+-]) (\d+))?$/.exec(text.trim()) ?? [];
  if (name === undefined) return /^-?\d+$/.test(text.trim()) ? Number(text) : undefined;
  const base = NAMES[name];
  return base === undefined ? undefined : base + (sign === '-' ? -Number(offset) : Number(offset));
}
