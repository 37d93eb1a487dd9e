// Tests of src/nftables/client/session-pool.ts.

import t from 'tap';
import { SessionPool } from '../../../../src/nftables/client/session-pool.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';

t.test('SessionPool has a session per concurrent transaction, and reuses idle ones', async (t) => {
  const { command, runs } = fakeNftProgram(t);
  const pool = new SessionPool({ command, timeoutMs: 10_000 });
  t.teardown(() => pool.close());
  await Promise.all([pool.apply('add a\n'), pool.apply('add b\n')]);
  t.equal(runs().length, 2);
  await pool.apply('add c\n');
  await t.rejects(pool.apply('refuse\n'), { name: 'NftRefusal' });
  await Promise.all([pool.apply('add d\n'), pool.apply('add e\n')]);
  t.equal(runs().length, 2, 'a refusal does not end a session');
});

t.test('SessionPool drops a session whose process died', async (t) => {
  const { command, runs } = fakeNftProgram(t);
  const pool = new SessionPool({ command, timeoutMs: 10_000 });
  t.teardown(() => pool.close());
  await t.rejects(pool.apply('die\n'), { name: 'NftOutcomeUnknown' });
  await pool.apply('add\n');
  t.equal(runs().length, 2);
});

t.test('SessionPool ends idle sessions', async (t) => {
  const { command, runs } = fakeNftProgram(t);
  const pool = new SessionPool({ command, timeoutMs: 10_000 });
  await pool.apply('add a\n');
  pool.close();
  await pool.apply('add b\n');
  t.equal(runs().length, 2);
  pool.close();
});
