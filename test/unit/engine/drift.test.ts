// Tests of src/engine/drift.ts.

import t from 'tap';
import { findDrift, printDrift } from '../../../src/engine/drift.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { linesOf } from '../../../src/engine/transaction.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';

const objects = [service('shop/web'), slice('shop/web')];

/** A kernel with the ruleset of these objects. */
function kernelWithRuleset(): FakeNftables {
  const kernel = new FakeNftables();
  for (const transaction of engineOf(objects).plan().flat()) kernel.run(linesOf(transaction));
  return kernel;
}

/** An engine that wants the same objects, and has adopted the kernel's listing. */
function adopting(kernel: FakeNftables): Engine {
  const engine = engineOf(objects);
  engine.adopt(kernel.list());
  return engine;
}

function driftOf(kernel: FakeNftables): string[] {
  return printDrift(findDrift(adopting(kernel), kernel.list())).split('\n');
}

t.test('findDrift() finds nothing in the desired ruleset', async (t) => {
  const kernel = kernelWithRuleset();
  t.strictSame(findDrift(adopting(kernel), kernel.list()), []);
  t.equal(printDrift([]), '');
});

t.test('findDrift() names missing, changed and unexpected elements with their Services', async (t) => {
  const kernel = kernelWithRuleset();
  kernel.run([
    'delete element ip nftlane endpoints { 10.96.0.1 . tcp . 80 . 0 }',
    'delete element ip nftlane service-ips { 10.96.0.1 . tcp . 80 }',
    'add element ip nftlane service-ips { 10.96.0.1 . tcp . 80 comment "other" : drop }',
    'add element ip nftlane cluster-ips { 10.96.0.9 comment "shop/gone:http" }',
    'add element ip6 nftlane cluster-ips { fd00::9 }',
  ]);
  const drift = findDrift(adopting(kernel), kernel.list());
  t.strictSame(printDrift(drift).split('\n').sort(), [
    '+ ip map endpoints 10.96.0.1 . tcp . 80 . 0: 10.1.0.1 . 8080 (shop/web)',
    '+ ip map service-ips 10.96.0.1 . tcp . 80: goto cluster-1 (shop/web)',
    '- ip map service-ips 10.96.0.1 . tcp . 80: drop (other)',
    '- ip set cluster-ips 10.96.0.9: (shop/gone:http)',
    '- ip6 set cluster-ips fd00::9: present',
  ]);
  const services = new Map(drift.map(({ key, service }) => [key, service]));
  t.equal(services.get('10.96.0.1 . tcp . 80'), 'shop/web');
  t.equal(services.get('10.96.0.9'), 'shop/gone', 'by the comment');
  t.equal(services.get('fd00::9'), '');
});

t.test('findDrift() names missing and unexpected chains, but no stale endpoint chains', async (t) => {
  const kernel = new FakeNftables();
  const slot = 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints';
  kernel.run([
    'add table ip nftlane',
    'add map ip nftlane endpoints { typeof ip daddr; }',
    'add chain ip nftlane foreign',
    'add chain ip nftlane direct-1',
    ...[1, 2].map(() => `add rule ip nftlane direct-1 ${slot}`),
  ]);
  const drift = driftOf(kernel).filter((line) => line.includes(' chain ') || line.includes(' table '));
  t.ok(drift.includes('+ ip6 table nftlane: present'));
  t.ok(drift.includes('+ ip chain cluster-1: present'));
  t.strictSame(
    drift.filter((line) => line.startsWith('-')),
    ['- ip chain foreign: present'],
  );
});

t.test('findDrift() compares rules by their content, and names the rule', async (t) => {
  const kernel = kernelWithRuleset();
  kernel.run([
    'flush chain ip nftlane services',
    'add rule ip nftlane services tcp dport 6666 drop',
    'add rule ip nftlane reject-chain drop',
  ]);
  const vmap = 'ip daddr . meta l4proto . th dport vmap @service-ips';
  t.strictSame(driftOf(kernel), [
    '- ip chain services rule 1: tcp dport 6666 drop',
    `+ ip chain services rule 1: ${vmap}`,
    `+ ip chain services rule 2: ${vmap}`,
    '+ ip chain services rule 3: fib daddr type local ip daddr != 127.0.0.0/8 jump nodeports',
    '- ip chain reject-chain rule 3: drop',
  ]);
});

t.test('findDrift() compares hooks, policies, flags and declarations', async (t) => {
  const kernel = kernelWithRuleset();
  const tables = kernel.listTables().map((table) => ({
    ...table,
    flags: ['dormant'],
    others: [{ kind: 'counter', name: 'c' }],
    chains: table.chains.map((chain) =>
      chain.hook?.hook === 'forward' ? { ...chain, hook: { ...chain.hook, policy: 'drop' } } : chain,
    ),
    setsAndMaps: table.setsAndMaps.map((object) =>
      object.name === 'cluster-ips' ? { ...object, properties: ['typeof ip saddr'] } : object,
    ),
  }));
  const drift = findDrift(adopting(kernel), { ...kernel.list(), tables: tables.slice(0, 1) });
  t.strictSame(printDrift(drift.filter(({ family }) => family === 'ip')).split('\n'), [
    '- ip table nftlane: flags dormant',
    '- ip chain filter-forward hook: type filter hook forward priority 0; policy drop;',
    '+ ip chain filter-forward hook: type filter hook forward priority 0; policy accept;',
    '- ip set cluster-ips: typeof ip saddr',
    '+ ip set cluster-ips: typeof ip daddr',
    '- ip counter c: present',
  ]);
  t.strictSame(printDrift(drift.filter(({ family }) => family === 'ip6')), '+ ip6 table nftlane: present');
});
