// Tests of src/services/allocation/complete-service.ts.

import t from 'tap';
import { ClusterIpAssignment } from '../../../../src/services/allocation/cluster-ip-assignment.ts';
import {
  familiesWithoutClusterIp,
  reportUnserved,
  withAssignedIps,
  withDefaultFamily,
  withoutAssignedIps,
} from '../../../../src/services/allocation/complete-service.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { read } from '../objects/read-service.ts';

const NO_IP = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined };

t.test('withDefaultFamily() completes only a Service that names no family', async (t) => {
  t.match(withDefaultFamily(read(NO_IP).value, 'ip6'), { families: ['ip6'] });
  t.match(withDefaultFamily(read({ ...NO_IP, ipFamilies: ['IPv6'] }).value, 'ip'), { families: ['ip6'] });
});

t.test('reportUnserved() reports a Service of which nothing is served', async (t) => {
  const reported = (spec: ApiObject) =>
    reportUnserved(readService(service('shop/web', { spec: { ...NO_IP, ...spec } }))).issues.map(
      ({ field, effect }) => `${field}: ${effect}`,
    );
  const nothing = ['spec.clusterIP: nothing of this Service is served'];
  t.strictSame(reported({}), nothing);
  t.strictSame(reported({ clusterIP: '' }), nothing);
  t.strictSame(reported({ type: 'LoadBalancer' }), nothing);
  t.strictSame(reported({ clusterIP: '10.0.0.256' }), ['spec.clusterIP: ignoring this cluster IP']);
  t.strictSame(reported({ clusterIP: 'None' }), []);
  for (const spec of [{ clusterIP: '10.0.0.1' }, { externalIPs: ['192.0.2.7'] }, { ports: [{ port: 1, nodePort: 2 }] }])
    t.strictSame(reported(spec), [], JSON.stringify(spec));
});

t.test('withAssignedIps() adds what the Service lacks, and withoutAssignedIps() takes it away', async (t) => {
  const ranges = [
    { family: 'ip', text: '10.96.0.0/30', length: 30 },
    { family: 'ip6', text: 'fd00:96::/126', length: 126 },
  ] as const;
  const assignment = new ClusterIpAssignment({ ranges, podCidrs: [] });
  const { value: web } = read({ ...NO_IP, clusterIP: '10.0.0.7', ipFamilyPolicy: 'PreferDualStack' });
  t.strictSame(familiesWithoutClusterIp(web), ['ip6']);
  assignment.setService(web.key, { requested: ['ip6'], named: ['10.0.0.7'] });
  const { value, issues } = withAssignedIps({ key: web.key, value: web, issues: [] }, assignment);
  t.match(value, { clusterIps: { ip: '10.0.0.7', ip6: /^fd00:96::[12]$/ }, assignedFamilies: ['ip6'] });
  t.strictSame(issues, []);
  t.strictSame(value && withoutAssignedIps(value), web);
  t.equal(withoutAssignedIps(web), web);
});

t.test('withAssignedIps() reports a range without a free address', async (t) => {
  const ranges = [{ family: 'ip', text: '10.96.0.0/30', length: 30 }] as const;
  const assignment = new ClusterIpAssignment({ ranges, podCidrs: [] });
  assignment.reserve('host', ['10.96.0.1', '10.96.0.2']);
  const { value: web } = read({ ...NO_IP, ipFamilies: ['IPv4'] });
  assignment.setService(web.key, { requested: ['ip'], named: [] });
  const completed = withAssignedIps({ key: web.key, value: web, issues: [] }, assignment);
  t.match(completed, {
    value: { clusterIps: {}, assignedFamilies: [] },
    issues: [{ field: 'spec.clusterIP', reason: 'no address of 10.96.0.0/30 is free', effect: 'no IPv4 cluster IP' }],
  });
  t.equal(reportUnserved(completed).issues.length, 1);
});
