// Tests of src/host/sysctl/tcp-be-liberal.ts.

import t from 'tap';
import { isTcpBeLiberal } from '../../../../src/host/sysctl/tcp-be-liberal.ts';

t.test('isTcpBeLiberal() reads the sysctl, and is false where it cannot be read', async (t) => {
  t.equal(await isTcpBeLiberal(async () => '1\n'), true);
  t.equal(await isTcpBeLiberal(async () => '0\n'), false);
  t.equal(await isTcpBeLiberal(async () => Promise.reject(new Error('ENOENT'))), false);
});
