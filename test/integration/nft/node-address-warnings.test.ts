// Tests that the daemon warns about an address of its Node exactly while no interface has it.

import t from 'tap';
import { node as nodeObject } from '../../support/builders/node.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';
import { POD_CIDRS } from '../../support/netns/topology.ts';
import { poll } from '../../support/wait-until.ts';

t.setTimeout(180_000);
const single = await createSingleNode(t);
const CASES = [
  { family: 'IPv4', first: '192.0.2.61', moved: '192.0.2.62', later: '192.0.2.63', length: 32 },
  { family: 'IPv6', first: '2001:db8:61::1', moved: '2001:db8:61::2', later: '2001:db8:61::3', length: 128 },
] as const;

for (const { family, first, moved, later, length } of CASES) {
  t.test(`an address that appears before or after the Node changes, or vanishes: ${family}`, async (t) => {
    const { node, write } = single;
    const address = (verb: string, value: string) => node.configure([`address ${verb} ${value}/${length} dev lo`]);
    const setNode = (value: string) =>
      write('node.yaml', nodeObject('node1', { status: { addresses: [{ type: 'InternalIP', address: value }] } }));
    await address('add', first);
    await setNode(first);
    const daemon = single.start('--cluster-cidr', `${POD_CIDRS.ip},${POD_CIDRS.ip6}`);
    await daemon.waitUntilReady();
    const texts = () =>
      daemon.log.map(({ msg }) => msg).filter((msg) => /questionable|node configuration changed/.test(`${msg}`));
    const seen = (count: number) =>
      poll(async () => texts(), {
        until: (all) => all.length >= count,
        failure: (all) => all.join('; '),
        timeoutMs: 30_000,
      });

    await address('add', moved);
    await setNode(moved);
    await seen(1);
    await address('delete', moved);
    await seen(2);
    await address('add', moved);
    await seen(3);
    await setNode(later);
    await seen(5);
    await address('add', later);
    await seen(6);
    t.strictSame(texts(), [
      'node configuration changed',
      'questionable node configuration',
      'node configuration is not questionable any more',
      'node configuration changed',
      'questionable node configuration',
      'node configuration is not questionable any more',
    ]);
    await daemon.stop();
  });
}
