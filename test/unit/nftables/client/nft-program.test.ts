// Tests of src/nftables/client/nft-program.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { emptyIfListingFailed, NftListingFailed } from '../../../../src/nftables/client/nft-error.ts';
import { NftProgram } from '../../../../src/nftables/client/nft-program.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';

t.test('apply() and check() return the errors of nft', async (t) => {
  const refusal = '/dev/stdin:2:1-9: Error: Could not process rule: File exists\nadd table\n^^^\n';
  const nft = fakeNftProgram(t, { '-f -': {}, '-c -f -': { stderr: refusal, status: 1 } });
  const program = new NftProgram(nft);
  t.strictSame(await program.apply('add table ip a\n'), []);
  t.strictSame(await program.check('add table ip b\n'), [{ line: 2, message: 'Could not process rule: File exists' }]);
  t.equal(nft.input(), 'add table ip a\nadd table ip b\n');
});

t.test('apply() reports an nft that fails without a message', async (t) => {
  const silent = new NftProgram(fakeNftProgram(t, { '-f -': { status: 139 } }));
  t.strictSame(await silent.apply(''), [{ line: 0, message: 'exit status 139' }]);
  const odd = new NftProgram(fakeNftProgram(t, { '-f -': { status: 1, stderr: '\n# Warning: x\nno memory\n' } }));
  t.strictSame(await odd.apply(''), [{ line: 0, message: 'no memory' }]);
});

t.test('listings are returned as values', async (t) => {
  const chain = { family: 'ip', table: 'nat', name: 'PREROUTING', hook: 'prerouting', policy: 'accept' };
  const jump = { family: 'ip', table: 'nat', chain: 'PREROUTING', handle: 7, expr: [{ jump: { target: 'KUBE' } }] };
  const program = new NftProgram(
    fakeNftProgram(t, {
      'list tables': { stdout: 'table ip nftlane\ntable inet firewalld\n' },
      '-j -t list chains': { stdout: JSON.stringify({ nftables: [{ metainfo: {} }, { chain }] }) },
      '-j -a list chain ip nat PREROUTING': { stdout: JSON.stringify({ nftables: [{ chain }, { rule: jump }] }) },
    }),
  );
  t.strictSame(await program.listTables(), [
    { family: 'ip', name: 'nftlane' },
    { family: 'inet', name: 'firewalld' },
  ]);
  t.strictSame(await program.listChains(), [chain]);
  t.strictSame(await program.listJumps(chain), [{ handle: 7, target: 'KUBE' }]);
});

t.test('a failed listing is an error, not an empty listing', async (t) => {
  const nft = fakeNftProgram(t, { 'list tables': { stderr: 'Error: Operation not permitted\n', status: 1 } });
  const program = new NftProgram(nft);
  await t.rejects(program.listTables(), {
    name: 'NftListingFailed',
    message: `Cannot run "${nft.command} list tables": Operation not permitted`,
  });
  await t.rejects(program.listChains(), { message: /"\S+ -j -t list chains": exit status 99/ });
});

t.test('emptyIfListingFailed() catches failed listings only', async (t) => {
  t.strictSame(emptyIfListingFailed(new NftListingFailed('x')), []);
  t.throws(() => emptyIfListingFailed(new Error('other')), { message: 'other' });
});

t.test('run() tells an unknown outcome from a missing program', async (t) => {
  const command = join(t.testdir({}), 'nft');
  writeFileSync(command, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  await t.rejects(new NftProgram({ command, timeoutMs: 50 }).apply(''), {
    name: 'NftOutcomeUnknown',
    message: /: it did not end within 0\.05 s$/,
  });
  await t.rejects(new NftProgram({ command: '/nowhere/nft' }).apply(''), { name: 'ExecError', kind: 'not-found' });
});
