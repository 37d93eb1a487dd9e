// Tests of src/host/process/children.ts.

import { execFileSync } from 'node:child_process';
import t from 'tap';
import { childrenCpuMs } from '../../../../src/host/process/children.ts';

t.test('childrenCpuMs() grows by what a child takes', async (t) => {
  const before = childrenCpuMs();
  const script = 'const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end);';
  execFileSync(process.execPath, ['-e', script]);
  const took = childrenCpuMs() - before;
  t.ok(took >= 190, `${took} ms`);
});
