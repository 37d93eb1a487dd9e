// Tests of src/host/sysctl/route-localnet.ts, with a file in place of the sysctl.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { RouteLocalnet } from '../../../../src/host/sysctl/route-localnet.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

t.test('RouteLocalnet disables the sysctl again only if it enabled it', async (t) => {
  const path = join(t.testdir({}), 'route_localnet');
  const value = async () => (await readFile(path, 'utf8')).trim();
  const cases = [
    { before: '0\n', open: '1', closed: '0', levels: ['info'] },
    { before: '1\n', open: '1', closed: '1', levels: ['warn'] },
  ];
  for (const { before, open, closed, levels } of cases) {
    await writeFile(path, before);
    const { log, lines } = recordLog();
    const routing = new RouteLocalnet(log, path);
    await routing.disable();
    t.equal(await value(), before.trim(), 'nothing was enabled');
    t.equal(await routing.enable(), true);
    await routing.enable();
    t.equal(await value(), open);
    await routing.disable();
    t.equal(await value(), closed);
    t.strictSame(
      lines.map(({ level }) => level),
      levels,
    );
  }
});

t.test('RouteLocalnet is disabled after a `disable` during an `enable`', async (t) => {
  const path = join(t.testdir({ route_localnet: '0' }), 'route_localnet');
  const routing = new RouteLocalnet(recordLog().log, path);
  const opening = routing.enable();
  await routing.disable();
  await opening;
  t.equal(await readFile(path, 'utf8'), '0');
});

t.test('RouteLocalnet logs a hint when it cannot write', async (t) => {
  const { log, lines } = recordLog();
  t.equal(await new RouteLocalnet(log, join(t.testdir({}), 'nowhere')).enable(), false);
  t.match(lines, [{ level: 'warn', details: { reason: /ENOENT/, hint: /route_localnet=1/ } }]);
});
