// Tests of src/doctor/machine/nft-limit.ts.

import t from 'tap';
import { limitNft } from '../../../../src/doctor/machine/nft-limit.ts';
import type { System } from '../../../../src/host/process/system.ts';
import { NftOutcomeUnknown, NftUnavailable } from '../../../../src/nftables/client/nft-error.ts';

t.test('limitNft() limits each call of nft, and makes none after a call that hung', async (t) => {
  const calls: string[] = [];
  const run: System['run'] = async (command, args, { timeoutMs } = {}) => {
    calls.push([command, ...args, timeoutMs].join(' '));
    return { status: 0, stdout: '', stderr: '' };
  };
  const { system, failed } = limitNft({ run, read: async (path) => `text of ${path}` }, '/sbin/nft');
  t.equal(await system.read('/proc/version'), 'text of /proc/version');
  await system.run('/sbin/nft', ['list', 'tables'], { timeoutMs: 60_000 });
  failed(new NftUnavailable('too old'));
  failed(new Error('another check'));
  await system.run('/sbin/nft', ['list', 'chains']);
  failed(new NftOutcomeUnknown('it did not end within 10 s'));
  failed(new NftOutcomeUnknown('a later one'));
  await t.rejects(system.run('/sbin/nft', ['list', 'ruleset']), {
    kind: 'failed',
    message: 'Not run again: it did not end within 10 s',
  });
  await system.run('ip', ['link'], { timeoutMs: 60_000 });
  t.strictSame(calls, ['/sbin/nft list tables 30000', '/sbin/nft list chains 30000', 'ip link 60000']);
});
