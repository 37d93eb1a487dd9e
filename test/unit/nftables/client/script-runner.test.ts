// Tests of src/nftables/client/script-runner.ts.

import t from 'tap';
import { ScriptRunner } from '../../../../src/nftables/client/script-runner.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';

t.test('ScriptRunner starts the next process of a series in advance', async (t) => {
  const { command, runs, input } = fakeNftProgram(t);
  const runner = new ScriptRunner({ command });
  t.teardown(() => runner.close());
  const apply = (line: string) => runner.apply([line], { timeoutMs: 30_000 });
  await apply('add a');
  t.equal(runs().length, 1, 'none after a single transaction');
  t.strictSame(await Promise.all([apply('add b'), apply('add c')]), [[], []]);
  await apply('add d');
  t.ok(runs().length <= 5);
  t.strictSame(input().trimEnd().split('\n').sort(), ['add a', 'add b', 'add c', 'add d']);
});

t.test('ScriptRunner returns the errors with the number of the operation', async (t) => {
  const { command } = fakeNftProgram(t);
  const runner = new ScriptRunner({ command });
  const errors = await runner.apply(['add element ip nftlane a { 1,', '2, }', 'refuse'], { timeoutMs: 30_000 });
  t.strictSame(errors, [{ line: 3, message: 'Could not process rule: File exists' }]);
  runner.close();
});

t.test('ScriptRunner kills an nft that does not end', async (t) => {
  const runner = new ScriptRunner({ command: fakeNftProgram(t).command });
  await t.rejects(runner.apply(['hang'], { timeoutMs: 50 }), {
    name: 'NftOutcomeUnknown',
    message: /it did not end within 0\.05 s$/,
  });
  runner.close();
});
