// Checks of other programs' rules that can interfere.

import { type Condition, readListedRule } from '../explain/ruleset/listed-rule.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import type { ListedChain } from '../nftables/syntax/json-listing.ts';
import type { ListedTable, TableChain } from '../nftables/syntax/listed-table.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { type Check, type DoctorContext, ok, warning } from './check.ts';

/** The priority of nftlane's DNAT. Chains with a lower one translate first. */
const DNAT_PRIORITY = -100;

/** An `accept` in one table does not override a drop in another: every table has to accept a packet. */
export async function checkForeignRules(context: DoctorContext): Promise<Check[]> {
  const nft = new NftProgram({ command: context.nft, run: context.system.run });
  const chains = (await nft.listChains()).filter(({ table }) => table !== TABLE);
  const dropChains = chains.filter(({ hook = '', policy }) => policy === 'drop' && ['forward', 'input'].includes(hook));
  return [
    dropPolicyCheck([...dropChains.map(chainName), ...(await legacyDropPolicies(context))]),
    natOrderCheck(chains),
    ...(await checkFirewalls(context, new Set(chains.map(({ table }) => table)))),
    otherEffectsCheck(await nft.listRuleset()),
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

function natOrderCheck(chains: readonly ListedChain[]): Check {
  const earlier = chains.filter(({ type, hook, prio = 0 }) => {
    return type === 'nat' && hook === 'prerouting' && prio < DNAT_PRIORITY;
  });
  if (earlier.length === 0) return ok('order', 'no other table translates addresses before nftlane');
  const message = `translates addresses before nftlane: ${earlier.map(chainName).join(', ')}`;
  return warning('order', message, 'make sure that it does not match addresses of Services');
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
