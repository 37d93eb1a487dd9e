// Random changes of a ruleset by other programs, as scripts for `nft -f`.

import type { Engine } from '../../src/engine/engine.ts';
import { render } from '../../src/engine/render.ts';
import type { Family } from '../../src/net/family.ts';
import { SETS_AND_MAPS } from '../../src/nftables/compile/sets-and-maps.ts';
import { printElement } from '../../src/nftables/syntax/operation.ts';
import { type Chain, printHook, printRule } from '../../src/nftables/syntax/statement.ts';
import { NODES } from '../support/netns/topology.ts';
import type { Random } from '../support/random.ts';

export interface Change {
  readonly script: string;
  /** It is not in our tables. */
  readonly isForeign: boolean;
}

const BOTH = ['ip', 'ip6'] as const;

/** One to three changes. nft may refuse some of them. */
export function randomChanges(random: Random, engine: Engine): Change[] {
  return Array.from({ length: random.integer(1, 3) }, () => randomChange(random, engine));
}

function randomChange(random: Random, engine: Engine): Change {
  const kind = random.next();
  if (kind < 0.4) return { script: foreignTable(random), isForeign: true };
  const ours = kind < 0.6 ? changeRules : kind < 0.8 ? changeElements : changeStructure;
  return { script: ours(random, engine), isForeign: false };
}

function pickChain(random: Random, engine: Engine): { family: Family; chain: Chain; all: readonly Chain[] } {
  const family = random.pick(BOTH);
  const all = engine.chains(family).chains;
  return { family, chain: random.pick(all) as Chain, all };
}

/** Replaces, inserts, deletes or swaps a rule, or changes the target of a jump. */
function changeRules(random: Random, engine: Engine): string {
  const { family, chain, all } = pickChain(random, engine);
  const rules = chain.rules.map((rule) => printRule(rule, family));
  const at = random.integer(0, Math.max(0, rules.length - 1));
  const other = random.pick(all)?.name ?? chain.name;
  const foreign = random.pick([...foreignRules(random, family), `jump ${other}`, `goto ${other}`]) ?? 'drop';
  switch (random.integer(0, 4)) {
    case 0:
      rules.splice(at, 1, foreign);
      break;
    case 1:
      rules.splice(at, 0, foreign);
      break;
    case 2:
      rules.splice(at, 1);
      break;
    case 3:
      rules.reverse();
      break;
    default:
      rules[at] = (rules[at] ?? 'counter').replace(/(?<=jump |goto )\S+/, other);
  }
  return writeRules(family, chain.name, rules);
}

function writeRules(family: Family, name: string, rules: readonly string[]): string {
  const path = `${family} nftlane ${name}`;
  return [`flush chain ${path}`, ...rules.map((rule) => `add rule ${path} ${rule}`)].join('\n');
}

const ADDRESSES: Readonly<Record<Family, readonly string[]>> = {
  ip: [
    '10.1.1.10',
    '10.1.1.0/24',
    '172.30.0.10',
    '172.30.0.0/16',
    '192.168.77.100',
    '192.168.77.1',
    NODES.node1.gateway.ip,
    '198.51.100.77',
  ],
  ip6: ['fd00:30::10', 'fd00:77::100', NODES.node1.ip6, 'fd00:1::/32'],
};

/** Matches that some packets of the flows meet. */
function randomMatch(random: Random, family: Family): string {
  const address = random.pick(ADDRESSES[family]) ?? '';
  const matches = [
    '',
    `${family} saddr ${address}`,
    `${family} daddr ${address}`,
    `${family} daddr != ${address}`,
    'tcp dport 80',
    'tcp dport { 80, 8080 }',
    'tcp sport 8080',
    'tcp sport 80',
    'tcp sport 1024-65535',
    'tcp dport 1024-65535',
    'udp dport 53',
    'th dport 1-10000',
    'meta l4proto udp',
    'meta l4proto { tcp, udp }',
    'iifname "lan"',
    'iifname "pod-*"',
    'oifname "pod-a"',
    'oifname "lan"',
    'oifname "lo"',
    'ct state new',
    'ct state established,related',
    'ct state invalid',
    'ct status dnat',
    'ct direction reply',
    `ct original ${family} daddr ${address}`,
    'ct original proto-dst 80',
    'tcp flags & (syn | ack) == syn',
    'meta length > 60',
    'limit rate over 1/hour burst 1 packets',
    'fib daddr type local',
    'fib saddr type local',
    `${family} daddr . tcp dport { ${address.replace(/\/.*/, '')} . 80 }`,
    'meta mark 0x00004000',
    'meta mark & 0x00004000 != 0',
  ];
  return random.pick(matches) ?? '';
}

const VERDICTS = ['drop', 'drop', 'accept', 'return', 'reject', 'counter', 'meta mark set 0x5', 'log prefix "x drop"'];

function foreignRules(random: Random, family: Family): string[] {
  const match = randomMatch(random, family);
  return VERDICTS.map((verdict) => `${match} ${verdict}`.trim());
}

/** Deletes, changes or adds an element, or flushes a set or map. */
function changeElements(random: Random, engine: Engine): string {
  const family = random.pick(BOTH);
  const objects = Object.values(SETS_AND_MAPS[family]).filter((object) => engine.size(object) > 0);
  const object = random.pick(objects);
  if (object === undefined) return `flush map ${family} nftlane endpoints`;
  const elements = engine.elements(object);
  const element = random.pick(elements);
  const path = `${family} nftlane ${object.name}`;
  if (element === undefined) return '';
  const others = elements.map(({ data }) => data);
  const data =
    object.kind === 'set'
      ? ''
      : (random.pick([
          ...others,
          ...(isVerdict(others[0])
            ? ['drop', 'accept', 'return']
            : [`${family === 'ip' ? '10.6.6.6' : 'fd00:6::6'} . 8080`]),
        ]) ?? '');
  const replaced = printElement({ key: element.key, data, comment: random.pick(['', element.comment]) ?? '' });
  switch (random.integer(0, 4)) {
    case 0:
      return `flush ${object.kind} ${path}`;
    case 1:
      return `delete element ${path} { ${element.key} }`;
    case 2:
      return `add element ${path} { ${printElement({ key: '*', data, comment: '' })} }`;
    case 3:
      return `add element ${path} { ${printElement({ key: otherKey(random, element.key), data, comment: '' })} }`;
    default:
      return `delete element ${path} { ${element.key} }\nadd element ${path} { ${replaced} }`;
  }
}

function isVerdict(data: string | undefined): boolean {
  return data !== undefined && /^(?:goto|drop)/.test(data);
}

/** A key of the same form. */
function otherKey(random: Random, key: string): string {
  return key.replace(/\d+$/, String(random.integer(0, 90)));
}

/** Changes policies, hooks, priorities, declarations and flags, or deletes something. */
function changeStructure(random: Random, engine: Engine): string {
  const family = random.pick(BOTH);
  const bases = engine.chains(family).chains.filter(({ hook }) => hook !== undefined);
  const chain = random.pick(bases);
  if (chain?.hook === undefined) return '';
  const path = `${family} nftlane ${chain.name}`;
  const rules = chain.rules.map((rule) => `add rule ${path} ${printRule(rule, family)}`).join('\n');
  const moved = random.pick([
    { ...chain.hook, priority: random.integer(-350, 350) },
    { ...chain.hook, hook: random.pick(['prerouting', 'input', 'forward', 'output', 'postrouting'] as const) },
    { ...chain.hook, type: random.pick(['filter', 'nat'] as const) },
  ]);
  switch (random.integer(0, 6)) {
    case 0:
      return `add chain ${path} { policy ${chain.hook.type === 'nat' ? 'accept' : 'drop'}; }`;
    case 1:
      return `delete chain ${path}\nadd chain ${path} { ${printHook(moved)} }\n${rules}`;
    case 2:
      return `add table ${family} nftlane { flags dormant; }`;
    case 3:
      return `delete table ${family} nftlane`;
    case 4:
      return `delete chain ${path}`;
    case 5:
      return redeclared(random, engine);
    default:
      return `add chain ${family} nftlane intruder { ${printHook(moved)} }\n${foreignRules(random, family)
        .slice(0, 2)
        .map((rule) => `add rule ${family} nftlane intruder ${rule}`)
        .join('\n')}`;
  }
}

/** The whole ruleset with a set that is declared in another way. */
function redeclared(random: Random, engine: Engine): string {
  const lines = render(engine).split('\n');
  const declarations = lines.flatMap((line, index) => (line.trim().startsWith('typeof ') ? [index] : []));
  const at = random.pick(declarations) ?? 0;
  lines[at] = `${lines[at]}\n\t\t${random.pick(['size 4000', 'flags timeout', 'comment "x"', 'timeout 1h'])}`;
  return lines.join('\n');
}

const HOOKS = {
  filter: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  nat: ['prerouting', 'output', 'postrouting', 'input'],
} as const;

/** A table of another program with a base chain, a helper chain and a set. */
function foreignTable(random: Random): string {
  const tableFamily = random.pick(['ip', 'inet', 'ip6'] as const);
  const family: Family = tableFamily === 'inet' ? random.pick(BOTH) : tableFamily;
  const type = random.next() < 0.75 ? 'filter' : 'nat';
  const hook = random.pick(HOOKS[type]);
  const priority = random.pick([-300, -150, -110, -105, -101, -100, -99, -10, 0, 10, 50, 99, 100, 101, 177, 300]);
  const policy = type === 'filter' && random.next() < 0.2 ? 'drop' : 'accept';
  const rules = Array.from({ length: random.integer(0, 3) }, () => foreignRule(random, { family, type, hook }));
  const helper = foreignRule(random, { family, type: 'filter', hook });
  const table = `${tableFamily} ${random.pick(['other', 'another'])}`;
  return `add table ${table}
delete table ${table}
add table ${table}
add set ${table} addresses { typeof ${family} saddr; elements = { ${family === 'ip' ? '192.168.77.100' : 'fd00:77::100'} }; }
add chain ${table} helper
add chain ${table} base { type ${type} hook ${hook} priority ${type === 'nat' && priority < -199 ? -150 : priority}; policy ${policy}; }
add rule ${table} helper ${helper}
${rules.map((rule) => `add rule ${table} base ${rule}`).join('\n')}`;
}

const SNAT_TO: Readonly<Record<Family, string>> = { ip: NODES.node1.ip, ip6: NODES.node1.ip6 };
/** Of the Services. */
const ENDPOINT: Readonly<Record<Family, string>> = { ip: '10.1.1.10', ip6: '[fd00:1:1::10]' };

function foreignRule(random: Random, { family, type, hook }: { family: Family; type: string; hook: string }): string {
  const match = randomMatch(random, family);
  const away = family === 'ip' ? '10.6.6.6' : '[fd00:6::6]';
  const natRules =
    hook === 'postrouting' || hook === 'input'
      ? ['masquerade', `snat to ${SNAT_TO[family]}`]
      : [`dnat to ${away}:8080`, `dnat to ${ENDPOINT[family]}:8080`, 'redirect to :9'];
  const usable = type === 'nat' ? natRules.filter((rule) => hook !== 'input' || !rule.startsWith('masq')) : [];
  const actions = [
    ...VERDICTS,
    ...usable,
    ...usable,
    'jump helper',
    'goto helper',
    'notrack',
    `${family} saddr @addresses drop`,
    `${family} saddr @addresses accept`,
    'meta mark set meta mark | 0x00004000',
    'ct mark set 1',
  ];
  return `${match} ${random.pick(actions)}`.trim();
}
