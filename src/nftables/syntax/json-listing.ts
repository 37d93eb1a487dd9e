// Parses chains and their rules from the output of `nft --json list`.

import * as z from 'zod/mini';

const LISTING = z.object({ nftables: z.array(z.unknown()) });

const CHAIN = z.object({
  chain: z.object({
    family: z.string(),
    table: z.string(),
    name: z.string(),
    type: z.optional(z.string()),
    hook: z.optional(z.string()),
    // Older nft prints names such as `filter`; the chain itself must not be skipped then.
    prio: z.optional(z.catch(z.optional(z.number()), undefined)),
    policy: z.optional(z.string()),
  }),
});

/** A chain of any table. `type`, `hook`, `prio` and `policy` are those of a base chain. */
export type ListedChain = z.infer<typeof CHAIN>['chain'];

const TARGET = z.optional(z.object({ target: z.string() }));
const RULE = z.object({
  rule: z.object({ handle: z.number(), expr: z.array(z.object({ jump: TARGET, goto: TARGET })) }),
});

/** A rule that jumps, or goes, to another chain. */
export interface ListedJump {
  readonly handle: number;
  readonly target: string;
}

/** The chains in the JSON of `list chains`. */
export function parseChains(json: string): ListedChain[] {
  return parseObjects(json, CHAIN).map(({ chain }) => chain);
}

/** The rules in the JSON of `list chain` that have another chain as their target. */
export function parseJumps(json: string): ListedJump[] {
  return parseObjects(json, RULE).flatMap(({ rule: { handle, expr } }) => {
    const target = expr.map((part) => part.jump?.target ?? part.goto?.target).find((name) => name !== undefined);
    return target === undefined ? [] : [{ handle, target }];
  });
}

/** The objects that match the schema. Metainfo and objects of other kinds are skipped. */
function parseObjects<T>(json: string, schema: z.ZodMiniType<T>): T[] {
  if (json.trim() === '') return [];
  const nftables = LISTING.safeParse(JSON.parse(json)).data?.nftables ?? [];
  return nftables.flatMap((object) => schema.safeParse(object).data ?? []);
}
