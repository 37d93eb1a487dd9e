// Tests of src/cli/program.ts: commands, help and exit statuses.

import t, { type Test } from 'tap';
import { runCli } from '../../../src/cli/program.ts';

/** Runs the command line and returns its exit status and output. */
async function run(t: Test, ...args: readonly string[]) {
  const captures = [process.stdout, process.stderr].map((stream) => t.capture(stream, 'write', () => true));
  const status = await runCli(args, AbortSignal.abort());
  const [stdout = '', stderr = ''] = captures.map((capture) =>
    capture()
      .map(({ args: [text] }) => String(text))
      .join(''),
  );
  for (const capture of captures) capture.restore();
  return { status, stdout, stderr };
}

const COMMANDS = ['run', 'render', 'lint', 'inspect', 'diff', 'explain', 'doctor', 'cleanup', 'version'];

t.test('the help lists all commands and the exit statuses', async (t) => {
  const { status, stdout } = await run(t, '--help');
  t.equal(status, 0);
  const listed = [...stdout.matchAll(/^ {2}(\w+)(?= |$)/gm)].map(([, name]) => name);
  t.strictSame(listed, [...COMMANDS, 'help']);
  t.match(stdout, /Exit status: 0 success; 1 .*; 2 .*; 3 .*; 4 .*; 5 /s);
});

t.test('each command has a help text', async (t) => {
  for (const command of COMMANDS) {
    t.match(await run(t, command, '--help'), { status: 0, stdout: `Usage: nftlane ${command}` }, command);
  }
});

t.test('the version is printed by a command and by a flag', async (t) => {
  t.strictSame(await run(t, 'version'), { status: 0, stdout: 'nftlane dev\n', stderr: '' });
  t.strictSame(await run(t, '--version'), { status: 0, stdout: 'dev\n', stderr: '' });
});

t.test('an invalid command line has status 2 and suggests a command', async (t) => {
  t.match(await run(t, 'inspec'), { status: 2, stderr: /unknown command 'inspec'\n\(Did you mean inspect\?\)/ });
  t.match(await run(t), { status: 2 });
  t.match(await run(t, 'doctor', '--node-port-range', '9-1'), {
    status: 2,
    stderr: 'nftlane: Cannot use --node-port-range "9-1": not a port range such as 30000-32767\n',
  });
});

t.test('missing input has status 4, and a missing daemon or program status 3', async (t) => {
  const runDir = t.testdir();
  t.match(await run(t, 'render', '-f', '/nowhere'), { status: 4, stderr: /^nftlane: Cannot read "\/nowhere"/ });
  t.match(await run(t, 'inspect', 'fastpath', '--run-dir', runDir), { status: 3, stderr: /is nftlane running/ });
  t.match(await run(t, 'diff', '--nft', '/nowhere/nft', '--run-dir', runDir), { status: 3 });
});
