// Tests of src/engine/drift.ts.

import t from 'tap';
import { findDrift, modifiedChainDrift, modifiedChains, printDrift } from '../../../src/engine/drift.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { linesOf } from '../../../src/engine/transaction.ts';
import type { ObjectRef } from '../../../src/nftables/syntax/object-ref.ts';
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

const names = (chains: readonly ObjectRef[]) => chains.map(({ family, name }) => `${family} ${name}`);

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
  kernel.run(['add table ip nftlane', 'add chain ip nftlane foreign', 'add chain ip nftlane cluster-7']);
  const drift = driftOf(kernel).filter((line) => line.includes(' chain '));
  t.ok(drift.includes('+ ip6 chain services: present'));
  t.ok(drift.includes('+ ip chain cluster-1: present'));
  t.strictSame(
    drift.filter((line) => line.startsWith('-')),
    ['- ip chain foreign: present'],
  );
});

t.test('modifiedChains() compares the number of rules', async (t) => {
  const kernel = kernelWithRuleset();
  t.strictSame(modifiedChains(adopting(kernel), kernel.ruleCounts()), []);
  kernel.run(['flush chain ip nftlane services', 'add rule ip nftlane reject-chain drop']);
  t.strictSame(names(modifiedChains(adopting(kernel), kernel.ruleCounts())), ['ip services', 'ip reject-chain']);
  const counts = kernel.ruleCounts().filter(({ chain }) => chain.name !== 'services');
  t.strictSame(
    names(modifiedChains(adopting(kernel), counts)),
    ['ip services', 'ip reject-chain', 'ip6 services'],
    'a missing chain counts as modified',
  );
  t.strictSame(
    printDrift(modifiedChainDrift(adopting(kernel), counts)),
    '- ip chain reject-chain: 3 rules\n+ ip chain reject-chain: our rules',
    'missing chains are drift already',
  );
});
