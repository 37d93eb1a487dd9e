// Rules of others that stand in the way of ours.
import { emptyIfListingFailed } from '../nftables/client/nft-error.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import type { ListedChain } from '../nftables/syntax/json-listing.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { type Check, type DoctorContext, ok, warning } from './check.ts';

/** The priority at which we translate: what comes before may translate first. */
const DNAT_PRIORITY = -100;

/** An `accept` of ours cannot overrule what another table drops: both have to let a packet pass. */
export async function checkForeignRules(context: DoctorContext): Promise<Check[]> {
  const nft = new NftProgram({ command: context.nft, run: context.system.run });
  const chains = (await nft.listChains().catch(emptyIfListingFailed)).filter(({ table }) => table !== TABLE);
  const dropChains = chains.filter(({ hook = '', policy }) => policy === 'drop' && ['forward', 'input'].includes(hook));
  return [
    dropPolicyCheck([...dropChains.map(chainName), ...(await legacyDropPolicies(context))]),
    natOrderCheck(chains),
    ...(await checkFirewalls(context, new Set(chains.map(({ table }) => table)))),
  ];
}

function chainName({ family, table, name }: ListedChain): string {
  return `${family} ${table} ${name}`;
}

function natOrderCheck(chains: readonly ListedChain[]): Check {
  const earlier = chains.filter(({ type, hook, prio = 0 }) => {
    return type === 'nat' && hook === 'prerouting' && prio < DNAT_PRIORITY;
  });
  if (earlier.length === 0) return ok('order', 'nobody translates addresses before us');
  const message = `translates addresses before us: ${earlier.map(chainName).join(', ')}`;
  return warning('order', message, 'see that it does not concern addresses of Services');
}

function dropPolicyCheck(dropChains: readonly string[]): Check {
  const name = 'drop policies';
  if (dropChains.length === 0) return ok(name, 'no chain drops what comes in or is forwarded unless a rule accepts it');
  const advice =
    "see that its rules accept packets to and from pods, and to node ports and health check ports: our tables cannot overrule it, and kube-proxy's iptables mode did";
  return warning(name, `dropped unless a rule accepts it: ${dropChains.join(', ')}`, advice);
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
    const message = 'firewalld is at work: its zones reject forwarded packets that they do not know';
    const advice = 'put the interfaces of pods into the zone trusted, and open node ports';
    checks.push(warning('firewalld', message, advice));
  }
  const script = await system.read('/etc/nftables.conf');
  if (/^\s*flush ruleset/m.test(script)) {
    const message =
      '/etc/nftables.conf begins with `flush ruleset`: whenever it is loaded, our tables are gone for up to 10 s';
    const advice = 'let it flush its own tables only, or disable nftables.service';
    checks.push(warning('flushes', message, advice));
  }
  return checks.length > 0 ? checks : [ok('firewalls', 'none that is known to get in the way')];
}
