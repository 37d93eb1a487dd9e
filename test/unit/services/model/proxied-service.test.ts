// Tests of src/services/model/proxied-service.ts, through the engine.

import t from 'tap';
import { render } from '../../../../src/engine/render.ts';
import { linesOf } from '../../../../src/engine/transaction.ts';
import { commitAll, elementsOf, engineOf } from '../../../support/builders/engine.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const WEB = service('shop/web', {
  spec: { ...clusterIps('10.96.0.1', 'fd00:96::1'), externalIPs: ['203.0.113.7', '2001:db8::7'] },
});

t.test('a missing address family is in no transaction', async (t) => {
  for (const [family, other] of [
    ['ip', 'ip6'],
    ['ip6', 'ip'],
  ] as const) {
    const engine = engineOf([WEB], { families: [family] });
    const lines = commitAll(engine).flatMap(linesOf);
    t.ok(lines.some((line) => line.includes(` ${family} nftlane `)));
    t.notOk(
      lines.some((line) => line.includes(` ${other} nftlane`)),
      `nothing in ${other}`,
    );
    t.strictSame(
      elementsOf(engine).filter((text) => text.startsWith(`${other} `)),
      [],
    );
    t.strictSame(engine.chains(other), { chains: [], dynamicSets: [] });
    t.notMatch(render(engine), `table ${other} nftlane`);
  }
});

t.test('a Service without a family gets one of the node, and none that the machine lacks', async (t) => {
  const absent = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined };
  const spec = { ...absent, type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };
  const familiesOf = (spec: ApiObject, options = {}) =>
    engineOf([service('shop/web', { spec })], options).store.services.get('shop/web')?.families;
  t.strictSame(familiesOf(spec), ['ip']);
  t.strictSame(familiesOf(spec, { bindAddress: '2001:db8::1' }), ['ip6']);
  t.strictSame(familiesOf({ ...spec, ipFamilyPolicy: 'RequireDualStack' }), ['ip', 'ip6']);
  t.strictSame(familiesOf({ ...spec, ipFamilyPolicy: 'RequireDualStack' }, { families: ['ip'] }), ['ip']);
  t.strictSame(familiesOf({ ...spec, ipFamilies: ['IPv6'] }, { families: ['ip'] }), []);
});

t.test('external IPs are ignored where they are disabled', async (t) => {
  const [enabled, disabled] = [{}, { proxiesExternalIps: false }].map((options) =>
    elementsOf(engineOf([WEB], options)).join('\n'),
  );
  t.match(enabled, '203.0.113.7');
  t.match(enabled, '2001:db8::7');
  t.notMatch(disabled, /203\.0\.113\.7|2001:db8::7/);
  t.match(disabled, '10.96.0.1');
});
