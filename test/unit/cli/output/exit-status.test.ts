// Tests of src/cli/output/exit-status.ts.

import t from 'tap';
import { AdminSocketError } from '../../../../src/admin/fetch-state.ts';
import { exitStatusOf } from '../../../../src/cli/output/exit-status.ts';
import { ConfigurationError } from '../../../../src/config/schema/configuration-error.ts';
import { FastPathUnusable } from '../../../../src/fastpath/fast-path.ts';
import { ListenError } from '../../../../src/host/network/listen.ts';
import { EnvironmentError, OperationalError } from '../../../../src/lib/operational-error.ts';
import { MetricsListenError } from '../../../../src/metrics/server/debug-server.ts';
import { NftOutcomeUnknown, NftUnavailable } from '../../../../src/nftables/client/nft-error.ts';
import { ClusterConfigError } from '../../../../src/sources/api-server/client/credentials.ts';
import { ManifestError } from '../../../../src/sources/manifests/parse/manifest-error.ts';

t.test('exitStatusOf() gives each kind of error its status', async (t) => {
  const cases: [error: unknown, status: number][] = [
    [new OperationalError('usage', 'x'), 2],
    [new ConfigurationError('the command line', [], { kind: 'usage' }), 2],
    [new EnvironmentError('x'), 3],
    [new AdminSocketError('x', { noState: 'absent' }), 3],
    [new ListenError('x'), 3],
    [new MetricsListenError('x'), 3],
    [new NftUnavailable('x'), 3],
    [new FastPathUnusable('x'), 3],
    [new ConfigurationError('configuration /c', []), 4],
    [new ManifestError('/m', 'x'), 4],
    [new ClusterConfigError('not-in-cluster', 'x'), 4],
    [new NftOutcomeUnknown('x'), 5],
    [new TypeError('x'), 5],
    ['text', 5],
  ];
  for (const [error, status] of cases) t.equal(exitStatusOf(error), status, String(error));
});
