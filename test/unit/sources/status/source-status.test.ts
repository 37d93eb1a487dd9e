// Tests of src/sources/status/source-status.ts.

import t from 'tap';
import { describeSourceProblem, youngestMs } from '../../../../src/sources/status/source-status.ts';

t.test('describeSourceProblem() says what, for how long, and why', async (t) => {
  const unreachable = {
    cause: 'unreachable',
    subject: 'API server',
    forMs: 7_999_000,
    reason: 'ECONNREFUSED',
  } as const;
  t.equal(describeSourceProblem(unreachable), 'API server unreachable for 2h13m: ECONNREFUSED');
  const silent = { cause: 'silent', subject: 'watch of EndpointSlices', forMs: 180_000 } as const;
  t.equal(describeSourceProblem(silent), 'watch of EndpointSlices silent for 3m');
});

t.test('youngestMs() ignores what has not been received', async (t) => {
  t.equal(youngestMs([]), undefined);
  t.equal(youngestMs([{ resource: 'Service' }]), undefined);
  t.equal(
    youngestMs([
      { resource: 'Service', contactMs: 9 },
      { resource: 'Node', contactMs: 5 },
    ]),
    5,
  );
});
