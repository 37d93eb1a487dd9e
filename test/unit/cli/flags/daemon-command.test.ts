// Tests of src/cli/flags/daemon-command.ts.

import t from 'tap';
import { startsDaemon } from '../../../../src/cli/flags/daemon-command.ts';

t.test('startsDaemon() is true for `run` without a task', (t) => {
  for (const args of [['run'], ['run', '--config', 'x'], ['run', '--cleanup-interval=3']])
    t.ok(startsDaemon(args), args.join(' '));
  for (const flag of [
    '--init-only',
    '--cleanup',
    '--cleanup=true',
    '--write-config-to=x',
    '--write_config_to',
    '--help',
    '-h',
  ])
    t.notOk(startsDaemon(['run', '--manifests', 'x', flag]), flag);
  for (const args of [[], ['inspect'], ['cleanup', 'run'], ['--version']]) t.notOk(startsDaemon(args), args.join(' '));
  t.end();
});
