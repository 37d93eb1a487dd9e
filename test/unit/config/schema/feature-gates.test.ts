// Tests of src/config/schema/feature-gates.ts.

import t from 'tap';
import { checkGates, ineffectiveGates, isGateEnabled } from '../../../../src/config/schema/feature-gates.ts';

t.test('checkGates() reports locked gates with another value', async (t) => {
  const reports: string[][] = [];
  const gates = { NFTablesProxyMode: false, PreferSameTrafficDistribution: true, Unknown: false };
  checkGates(gates, (...report) => reports.push(report));
  t.strictSame(reports, [['featureGates.NFTablesProxyMode', 'is locked to true and cannot be set to false']]);
});

t.test('ineffectiveGates() lists unknown gates and changed gates that are not implemented', async (t) => {
  const gates = { MemoryQoS: true, NativeHistograms: true, ContextualLogging: true, AllowServiceExternalIPs: false };
  t.strictSame(ineffectiveGates(gates), [
    ['MemoryQoS', 'has no effect'],
    ['NativeHistograms', 'has no effect'],
  ]);
  t.strictSame(ineffectiveGates({}), []);
});

t.test('isGateEnabled() returns the given value or the default', async (t) => {
  t.equal(isGateEnabled({}, 'AllowServiceExternalIPs'), true);
  t.equal(isGateEnabled({ AllowServiceExternalIPs: false }, 'AllowServiceExternalIPs'), false);
  t.equal(isGateEnabled({}, 'LoggingAlphaOptions'), false);
  t.equal(isGateEnabled({}, 'NoSuchGate'), false);
});
