// Tests of src/host/sysctl/route-localnet.ts, on a file of its own.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { RouteLocalnet } from '../../../../src/host/sysctl/route-localnet.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

t.test('what was switched on is switched off again, and what others did stays', async (t) => {
  const path = join(t.testdir({}), 'route_localnet');
  const value = async () => (await readFile(path, 'utf8')).trim();
  const cases = [
    { before: '0\n', open: '1', closed: '0', said: ['info'] },
    { before: '1\n', open: '1', closed: '1', said: ['warn'] },
  ];
  for (const { before, open, closed, said } of cases) {
    await writeFile(path, before);
    const { log, lines } = recordLog();
    const routing = new RouteLocalnet(log, path);
    await routing.disable();
    t.equal(await value(), before.trim(), 'nothing was open');
    t.equal(await routing.enable(), true);
    await routing.enable();
    t.equal(await value(), open);
    await routing.disable();
    t.equal(await value(), closed);
    t.strictSame(
      lines.map(({ level }) => level),
      said,
    );
  }
});

t.test('it is off when it was switched off while it was being switched on', async (t) => {
  const path = join(t.testdir({ route_localnet: '0' }), 'route_localnet');
  const routing = new RouteLocalnet(recordLog().log, path);
  const opening = routing.enable();
  await routing.disable();
  await opening;
  t.equal(await readFile(path, 'utf8'), '0');
});

t.test('not being allowed to is told with advice', async (t) => {
  const { log, lines } = recordLog();
  t.equal(await new RouteLocalnet(log, join(t.testdir({}), 'nowhere')).enable(), false);
  t.match(lines, [{ level: 'warn', details: { reason: /ENOENT/, advice: /route_localnet=1/ } }]);
});
