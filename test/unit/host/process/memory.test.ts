// Tests of src/host/process/memory.ts.

import { readFile } from 'node:fs/promises';
import t from 'tap';
import { limitYoungGeneration, releaseMemory, setOomScore } from '../../../../src/host/process/memory.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

const MB = 1024 ** 2;

t.test('releaseMemory() returns garbage to the kernel', async (t) => {
  limitYoungGeneration();
  let garbage: unknown[] | undefined = Array.from({ length: 400_000 }, (_, index) => ({ name: `object ${index}` }));
  t.equal(garbage.length, 400_000);
  const before = process.memoryUsage().heapUsed;
  garbage = undefined;
  releaseMemory();
  t.ok(process.memoryUsage().heapUsed < before - 10 * MB);
});

t.test('setOomScore() writes the OOM score adjustment of this process', async (t) => {
  const { log, lines } = recordLog();
  await setOomScore(500, log);
  t.equal((await readFile('/proc/self/oom_score_adj', 'utf8')).trim(), '500');
  t.strictSame(lines, []);
});

t.test('setOomScore() logs a failure', async (t) => {
  const { log, lines } = recordLog();
  await setOomScore(5000, log);
  t.match(lines, [{ level: 'debug', message: 'cannot set oom_score_adj', details: { reason: /EINVAL/ } }]);
});
