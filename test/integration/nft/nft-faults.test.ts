// Tests that no transaction counts as applied only because nft says so, with a real nft behind a program that interferes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { sync } from '../../../src/controller/sync.ts';
import { findDrift } from '../../../src/engine/drift.ts';
import { declareTables } from '../../../src/engine/transaction.ts';
import { toScript } from '../../../src/nftables/syntax/script.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { NamespacedNftClient } from '../../support/fakes/namespaced-nft-client.ts';
import { loadFactor } from '../../support/load-factor.ts';

const skip = process.getuid?.() === 0 ? false : 'network namespaces need root';

/** What the program does with its input before nft gets it. The listing commands work. */
const FAULTS = {
  none: 'exec nft "$@"',
  truncates: 'head -c "$(cat "$0.size")" | nft "$@"',
  'does nothing': 'cat >/dev/null; exit 0',
  'ends immediately': 'exit 0',
  'prints garbage': 'head -c 3000 /dev/urandom >&2; head -c 3000 /dev/urandom; exit 0',
  'prints errors without end': 'exec yes "Error: no" >&2',
  'prints an endless line': "exec tr '\\0' x </dev/zero",
  crashes: 'kill -SEGV $$',
} as const;

type Fault = keyof typeof FAULTS;

/** A client in a namespace, and a switch for the fault of its nft. */
function begin(t: Test): { tables: NamespacedNftClient; setFault: (fault: Fault, size?: number) => void } {
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-test-'));
  const nft = join(directory, 'nft');
  writeFileSync(nft, `#!/bin/sh\ncase "$*" in\n'-i' | '-f -') . "$0.fault" ;;\n*) exec nft "$@" ;;\nesac\n`, {
    mode: 0o755,
  });
  const setFault = (fault: Fault, size = 4096): void => {
    writeFileSync(`${nft}.fault`, `${FAULTS[fault]}\n`);
    writeFileSync(`${nft}.size`, String(size));
  };
  setFault('none');
  const tables = new NamespacedNftClient({ nft });
  t.teardown(() => {
    tables.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { tables, setFault };
}

const DECLARATIONS = declareTables({ families: ['ip'] }).map(({ line }) => line);

/** Chains whose commands are valid wherever they are cut in a name. */
function chains(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `add chain ip nftlane c${String(index).padStart(58, '0')}`);
}

async function chainCount(tables: NamespacedNftClient): Promise<number> {
  return (await tables.list()).chains.length;
}

t.test('the beginning of a transaction does not count as the transaction', { skip }, async (t) => {
  const { tables, setFault } = begin(t);
  setFault('truncates');
  await t.rejects(tables.apply([...DECLARATIONS, ...chains(100)]), { name: 'NftOutcomeUnknown' });
  const count = await chainCount(tables);
  t.ok(count > 0 && count < 100, `nft committed ${count} of 100 chains and reported success`);
});

t.test('nothing of a large transaction is applied before all of it has arrived', { skip }, async (t) => {
  const { tables, setFault } = begin(t);
  await tables.apply(DECLARATIONS);
  const elements = Array.from({ length: 2000 }, (_, index) => `10.1.${index >> 8}.${index & 255},`);
  const lines = ['add element ip nftlane cluster-ips { 10.0.0.1,', ...elements, '10.0.0.2, }'];
  const [definitions = ''] = toScript(lines).parts;
  for (const [size, message] of [
    [definitions.length, /the kernel does not show/],
    [4096, /unexpected end of file/],
  ] as const) {
    setFault('truncates', size);
    await t.rejects(tables.apply(lines), { name: 'NftOutcomeUnknown', message });
    t.equal((await tables.list()).elements.size, 0);
  }
});

for (const fault of [
  'does nothing',
  'ends immediately',
  'prints garbage',
  'prints errors without end',
  'prints an endless line',
  'crashes',
] as const) {
  t.test(`an nft that ${fault} is not trusted blindly`, { skip }, async (t) => {
    const { tables, setFault } = begin(t);
    setFault(fault);
    for (const count of [1, 600]) {
      const startedAt = performance.now();
      const outcome = await tables.apply([...DECLARATIONS, ...chains(count)]).catch((error: Error) => error.name);
      t.match(outcome, /^Nft(?:OutcomeUnknown|Refusal)$/);
      t.ok(performance.now() - startedAt < loadFactor() * 10_000);
    }
    t.equal(await chainCount(tables), 0);
  });
}

for (const fault of ['truncates', 'does nothing', 'prints garbage', 'crashes'] as const) {
  t.test(`the ruleset is complete once an nft that ${fault} works again`, { skip }, async (t) => {
    const { tables, setFault } = begin(t);
    const engine = engineOf([service('shop/web'), slice('shop/web', { endpoints: [endpoint('10.1.0.1')] })]);
    engine.invalidate();
    setFault(fault);
    await t.rejects(sync(engine, tables));
    t.equal(engine.isKernelKnown, false);
    setFault('none');
    t.equal((await sync(engine, tables)).full, true);
    const listing = await tables.list();
    engine.adopt(listing);
    engine.compile();
    t.strictSame(findDrift(engine, listing), []);
  });
}
