// Checks of other programs' rules that can interfere.

import { type Condition, readListedRule } from '../explain/ruleset/listed-rule.ts';
import { foreignRules, type ReachableRule } from '../explain/ruleset/reachable-rules.ts';
import { printableLine } from '../lib/printable.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import type { ListedChain } from '../nftables/syntax/json-listing.ts';
import type { ListedTable, TableChain } from '../nftables/syntax/listed-table.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { type Check, type DoctorContext, ok, warning } from './check.ts';

/** An `accept` in one table does not override a drop in another: every table has to accept a packet. */
export async function checkForeignRules(context: DoctorContext): Promise<Check[]> {
  const nft = new NftProgram({ command: context.nft, run: context.system.run });
  const chains = (await nft.listChains()).filter(({ table }) => table !== TABLE);
  const tables = await nft.listRuleset();
  const dropChains = chains.filter(({ hook = '', policy }) => policy === 'drop' && ['forward', 'input'].includes(hook));
  return [
    dropPolicyCheck([...dropChains.map(chainName), ...(await legacyDropPolicies(context))]),
    ...(await checkTranslations(context, foreignRules(tables))),
    ...(await checkFirewalls(context, new Set(chains.map(({ table }) => table)))),
    otherEffectsCheck(tables),
  ];
}

function chainName({ family, table, name }: ListedChain): string {
  return `${family} ${table} ${name}`;
}

/** Families whose chains see the packets of Services. */
const FAMILIES = ['ip', 'ip6', 'inet', 'netdev'];

/** Base chains of others with rules that can drop, reject, translate or mark flows. Translation of sources is usual. */
function otherEffectsCheck(tables: readonly ListedTable[]): Check {
  const name = 'other chains';
  const active = tables.filter(({ family, name, flags }) => {
    return FAMILIES.includes(family) && name !== TABLE && !flags.includes('dormant');
  });
  const found = active.flatMap(({ family, name: table, chains }) =>
    chains
      .filter(
        (chain) =>
          chain.hook !== undefined && (hasOtherDropPolicy(chain) || affectsFlows(chain, search(chain, chains))),
      )
      .map((chain) => `${family} ${table} ${chain.name}`),
  );
  if (found.length === 0) return ok(name, 'no chain of another program drops, translates or marks flows');
  const message = `chains of other programs can drop, translate or mark flows: ${found.join(', ')}`;
  return warning(name, message, 'check a connection with `nftlane explain CLIENT ADDRESS:PORT`, which evaluates them');
}

/** Those of input and forward chains have a check of their own. */
function hasOtherDropPolicy({ hook }: TableChain): boolean {
  return hook?.policy === 'drop' && hook.hook !== 'input' && hook.hook !== 'forward';
}

interface ChainSearch {
  readonly chains: readonly TableChain[];
  /** Before connection tracking, every packet is invalid. */
  readonly isTracked: boolean;
  readonly seen: Set<string>;
}

function search({ hook }: TableChain, chains: readonly TableChain[]): ChainSearch {
  return { chains, isTracked: hook?.hook !== 'ingress' && (hook?.priority ?? -Infinity) > -200, seen: new Set() };
}

function affectsFlows(chain: TableChain, options: ChainSearch): boolean {
  const { chains, isTracked, seen } = options;
  if (seen.has(chain.name)) return false;
  seen.add(chain.name);
  return chain.rules.map(readListedRule).some(({ conditions, effects }) => {
    if (isTracked && conditions.some(isForInvalid)) return false;
    return effects.some((effect) => {
      if (effect.kind !== 'jump' && effect.kind !== 'goto')
        return ['drop', 'reject', 'dnat', 'change'].includes(effect.kind);
      const target = chains.find(({ name }) => name === effect.chain);
      return target !== undefined && affectsFlows(target, options);
    });
  });
}

/** No packet of a flow that works is invalid. */
function isForInvalid({ field, negate, values }: Condition): boolean {
  return field === 'ct state' && !negate && values.every((value) => value === 'invalid');
}

function dropPolicyCheck(dropChains: readonly string[]): Check {
  const name = 'drop policies';
  if (dropChains.length === 0) return ok(name, 'no input or forward chain drops packets by default');
  const advice =
    "make sure that its rules accept packets to and from pods, and to node ports and health check ports: nftlane's tables cannot override it, as kube-proxy's iptables mode did";
  return warning(name, `packets are dropped by default: ${dropChains.join(', ')}`, advice);
}

async function legacyDropPolicies({ system }: DoctorContext): Promise<string[]> {
  const dropChains: string[] = [];
  for (const [program, tablesFile] of [
    ['iptables', '/proc/net/ip_tables_names'],
    ['ip6tables', '/proc/net/ip6_tables_names'],
  ] as const) {
    if (!(await system.read(tablesFile)).split('\n').includes('filter')) continue;
    const text = await system.run(`${program}-legacy-save`, ['-t', 'filter']).then(
      ({ stdout }) => stdout,
      () => '',
    );
    const chains = [...text.matchAll(/^:(FORWARD|INPUT) DROP/gm)].map(([, chain]) => chain);
    dropChains.push(...chains.map((chain) => `legacy ${program} filter ${chain}`));
  }
  return dropChains;
}

async function checkFirewalls({ system }: DoctorContext, tables: ReadonlySet<string>): Promise<Check[]> {
  const checks: Check[] = [];
  if (tables.has('firewalld')) {
    const message = 'firewalld is active: it rejects forwarded packets that no zone allows';
    const advice = 'add the interfaces of pods to the zone trusted, and open the node ports';
    checks.push(warning('firewalld', message, advice));
  }
  const script = await system.read('/etc/nftables.conf');
  if (/^\s*flush ruleset/m.test(script)) {
    const message =
      '/etc/nftables.conf contains `flush ruleset`: loading it removes the tables of nftlane, until they are repaired, unless they are owned';
    const advice = 'flush only its own tables there, or disable nftables.service';
    checks.push(warning('flushes', message, advice));
  }
  return checks.length > 0 ? checks : [ok('firewalls', 'no known conflict')];
}

/** The priority of nftlane's DNAT. Chains with a lower one translate first. */
const DNAT_PRIORITY = -100;
/** NF_IP_PRI_CONNTRACK. */
const CONNTRACK_PRIORITY = -200;

/**
 * What takes packets from nftlane before it sees them. Of base chains with the same priority, the kernel runs the one that was
 * added last first (nf_hook_entries_grow), which no listing shows.
 */
async function checkTranslations(context: DoctorContext, rules: readonly ReachableRule[]): Promise<Check[]> {
  const legacy = await legacyRules(context);
  return [natOrderCheck(rules, legacy), trackingCheck(rules, legacy)];
}

const TRANSLATES = /(?:^| )(?:dnat|redirect)(?= |$)|xt target "(?:DNAT|REDIRECT)"/;
const NOT_TRACKED = /(?:^| )notrack(?= |$)|xt target "(?:NOTRACK|CT)"/;

function natOrderCheck(rules: readonly ReachableRule[], legacy: LegacyRules): Check {
  const translating = rules.filter(({ type, text }) => type === 'nat' && TRANSLATES.test(text));
  const earlier = translating.filter(({ priority }) => priority < DNAT_PRIORITY);
  const same = translating.filter(({ priority }) => priority === DNAT_PRIORITY);
  const parts = [
    ...(earlier.length === 0 ? [] : [`before nftlane: ${describe(earlier)}`]),
    ...(same.length + legacy.nat.length === 0
      ? []
      : [
          `with the priority of nftlane, so that the chain that was added last is the first: ${describe([...same, ...legacy.nat])}`,
        ]),
  ];
  if (parts.length === 0) return ok('order', 'no other table translates addresses before nftlane');
  const advice = 'make sure that it does not match addresses of Services, nor node ports';
  return warning('order', `destinations are translated ${parts.join('; ')}`, advice);
}

function trackingCheck(rules: readonly ReachableRule[], legacy: LegacyRules): Check {
  const untracked = rules.filter(({ priority, text }) => priority < CONNTRACK_PRIORITY && NOT_TRACKED.test(text));
  const found = [...untracked, ...legacy.raw];
  if (found.length === 0) return ok('tracking', 'no rule exempts packets from connection tracking');
  const message = `packets that are not tracked are not translated: ${describe(found)}`;
  const advice =
    'make sure that it matches neither addresses of Services nor endpoints, unless a DNS cache of the node serves them';
  return warning('tracking', message, advice);
}

const [SHOWN_CHAINS, SHOWN_RULES] = [4, 2];

/** What takes packets: the first rules of the first chains. */
function describe(rules: readonly Pick<ReachableRule, 'base' | 'text'>[]): string {
  const byChain = Map.groupBy(rules, ({ base }) => base);
  const shown = [...byChain].slice(0, SHOWN_CHAINS).map(([base, own]) => {
    const texts = own.slice(0, SHOWN_RULES).map(({ text }) => printableLine(text));
    const more = own.length > SHOWN_RULES ? `, and ${own.length - SHOWN_RULES} others` : '';
    return `${base} (${texts.join(', ')}${more})`;
  });
  return [...shown, ...(byChain.size > SHOWN_CHAINS ? [`${byChain.size - SHOWN_CHAINS} others`] : [])].join(', ');
}

type LegacyRules = Readonly<Record<'nat' | 'raw', readonly Pick<ReachableRule, 'base' | 'text'>[]>>;

/** Rules of iptables-legacy, whose tables nft does not list. Its table nat has the priority of nftlane, too. */
async function legacyRules({ system }: DoctorContext): Promise<LegacyRules> {
  const found = {
    nat: [] as Pick<ReachableRule, 'base' | 'text'>[],
    raw: [] as Pick<ReachableRule, 'base' | 'text'>[],
  };
  for (const [program, tablesFile] of [
    ['iptables', '/proc/net/ip_tables_names'],
    ['ip6tables', '/proc/net/ip6_tables_names'],
  ] as const) {
    const tables = (await system.read(tablesFile)).split('\n');
    for (const [table, pattern] of LEGACY) {
      if (!tables.includes(table)) continue;
      const saved = await system.run(`${program}-legacy-save`, ['-t', table]).then(
        ({ stdout }) => stdout,
        () => '',
      );
      const texts = saved.split('\n').filter((line) => pattern.test(line));
      found[table].push(...texts.map((text) => ({ base: `legacy ${program} ${table}`, text })));
    }
  }
  return found;
}

const LEGACY = [
  ['nat', / -j (?:DNAT|REDIRECT)(?= |$)/],
  ['raw', / -j (?:NOTRACK|CT --notrack)(?= |$)/],
] as const;
