// Tests of --healthz-bind-address.
import t from 'tap';
import { runCli } from '../../../src/cli/program.ts';

t.test('run rejects an invalid server address before it starts', async (t) => {
  for (const address of ['localhost:10256', '0.0.0.0:70000', '::1:x']) {
    const written = t.capture(process.stderr, 'write', () => true);
    const args = ['run', '--manifests', '/nowhere', '--healthz-bind-address', address];
    t.equal(await runCli(args, AbortSignal.abort()), 2, address);
    const reason = `"${address}" is neither an IP address nor IP:port with a port from 1 to 65535`;
    const text = `nftlane: Cannot use the command line: --healthz-bind-address: ${reason}\n`;
    t.strictSame(
      written().map(({ args }) => args),
      [[text]],
    );
  }
});
