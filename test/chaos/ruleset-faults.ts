// What other programs do to the tables of nftlane in a chaos run.

import type { ChaosWorld } from './chaos-world.ts';
import type { FaultPlanner } from './faults.ts';

const FAMILIES = ['ip', 'ip6'] as const;
const CHAINS = [
  'services',
  'nodeports',
  'nat-prerouting',
  'filter-forward',
  'mark-for-masquerade',
  'nat-postrouting',
] as const;
const MAPS = ['service-ips', 'service-nodeports', 'endpoints', 'nodeport-endpoints'] as const;

const FLUSH = 'flush ruleset';

/** Each is a script for one family. An owned table refuses it, which is a result, too. */
const SCRIPTS: readonly ((family: string, choice: { chain: string; map: string }) => string)[] = [
  () => FLUSH,
  (family) => `delete table ${family} nftlane`,
  (family) => `flush table ${family} nftlane`,
  (family) => `add table ${family} nftlane { flags dormant; }`,
  (family, { chain }) => `flush chain ${family} nftlane ${chain}`,
  (family, { chain }) => `insert rule ${family} nftlane ${chain} drop`,
  (family, { chain }) => `add rule ${family} nftlane ${chain} counter`,
  (family, { map }) => `flush map ${family} nftlane ${map}`,
  (family) => `add chain ${family} nftlane filter-forward { type filter hook forward priority 0; policy drop; }`,
  (family) => `flush set ${family} nftlane cluster-ips`,
  (family) => `add chain ${family} nftlane intruder`,
];

export const rulesetFaults: readonly FaultPlanner[] = [
  (random) => {
    const family = random.pick(FAMILIES);
    const choice = { chain: random.pick(CHAINS), map: random.pick(MAPS) };
    const script = random.pick(SCRIPTS)?.(family, choice) ?? '';
    return { name: `nft "${script}"`, run: (chaos) => change(chaos, script) };
  },
  (random) => {
    const family = random.pick(FAMILIES);
    const map = random.pick(['service-ips', 'endpoints']);
    const at = random.next();
    return {
      name: `delete an element of ${family} ${map} at ${at.toFixed(3)}`,
      run: async (chaos) => {
        const key = pickKey(await list(chaos, { family, map }), at);
        return change(chaos, `delete element ${family} nftlane ${map} { ${key} }`);
      },
    };
  },
  (random) => {
    const family = random.pick(FAMILIES);
    const at = random.next();
    const target = family === 'ip' ? '192.0.2.1 . 9' : '2001:db8::1 . 9';
    return {
      name: `redirect an endpoint of ${family} at ${at.toFixed(3)}`,
      run: async (chaos) => {
        const key = pickKey(await list(chaos, { family, map: 'endpoints' }), at);
        const element = `element ${family} nftlane endpoints`;
        return change(chaos, `delete ${element} { ${key} }\nadd ${element} { ${key} : ${target} }`);
      },
    };
  },
  (random) => {
    const pause = random.integer(0, 300);
    return {
      name: `kill the daemon, flush the ruleset, restart after ${pause} ms`,
      run: async (chaos) => {
        const restarted = chaos.restartDaemon('kill', pause);
        await chaos.nft('flush ruleset');
        await restarted;
        return 'damaged';
      },
    };
  },
];

/**
 * An owned table is refused, or skipped by `flush ruleset`, so there is no damage. Only the effect tells: a table whose owner
 * was just killed can be changed by everyone.
 */
async function change(chaos: ChaosWorld, script: string): Promise<'damaged' | undefined> {
  const before = await chaos.tables();
  if (!(await chaos.nft(script))) return undefined;
  const wasSkipped = script === FLUSH && (await chaos.tables()) === before;
  return wasSkipped ? undefined : 'damaged';
}

interface MapRef {
  readonly family: string;
  readonly map: string;
}

async function list(chaos: ChaosWorld, { family, map }: MapRef): Promise<string> {
  return (await chaos.world.node1.exec('nft', ['list', 'map', family, 'nftlane', map])).stdout;
}

/** The key of the element at this place of a listing, from 0 to 1; the healthy Service's are as likely as all others together. */
function pickKey(listing: string, at: number): string {
  const lines = listing.split('\n').filter((line) => line.includes('comment'));
  const healthy = lines.filter((line) => line.includes('healthy'));
  const candidates = at < 0.5 ? healthy : lines;
  const line = candidates[Math.floor(((at * 2) % 1) * candidates.length)];
  const [, key] = /(?:\{ |^\s*)(\S+(?: \. \S+)+?) (?:counter|comment)/.exec(line ?? '') ?? [];
  return key ?? '';
}
