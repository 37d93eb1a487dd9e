// Tests of src/nftables/client/element-lookup.ts.

import t from 'tap';
import { lookUpElements } from '../../../../src/nftables/client/element-lookup.ts';
import { NftProgram } from '../../../../src/nftables/client/nft-program.ts';

const LISTING = `table ip nftlane {
	map endpoints {
		type ipv4_addr . inet_service : ipv4_addr
		elements = { 10.96.0.1 . 80 counter packets 1 bytes 2 comment "shop/web" : 10.1.0.1,
			     10.96.0.2 . 80 counter packets 0 bytes 0 comment "shop/web" : 10.1.0.2 }
	}
}
`;

/**
 * An nft whose check fails with these errors, and that prints the listing otherwise. It does not print elements as
 * debugging output, or does it for these lines.
 */
function nft(errors: string, debug: readonly string[] = []) {
  const scripts: string[] = [];
  const program = new NftProgram({
    command: 'nft',
    run: async (_, args, { input, onLine, env }) => {
      scripts.push(`${args.join(' ')}\n${[input ?? []].flat().join('')}`);
      if (args.includes('-i')) {
        const status = env?.['HOME'] === undefined ? 0 : 1;
        return { status, stdout: debug.join('\n'), stderr: debug.length === 0 ? '' : MISSING };
      }
      if (args.includes('-c')) return { status: errors === '' ? 0 : 1, stdout: '', stderr: errors };
      for (const line of LISTING.split('\n')) onLine?.(line);
      return { status: 0, stdout: '', stderr: '' };
    },
  });
  return { program, scripts };
}

const MISSING = 'Error: Could not process rule: No such file or directory\nlist tables; get element\n';

const query = {
  kind: 'map',
  name: 'endpoints',
  isInterval: false,
  keys: ['10.96.0.1 . 80', '10.96.0.9 . 80'],
} as const;

t.test('lookUpElements() gets elements one by one, in one session', async (t) => {
  const { program, scripts } = nft('', [
    'endpoints nftlane 0',
    '\telement 0100600a 00005000  : 0 [end]',
    'ip nftlane @endpoints',
    '\telement 0100600a 00005000  : 0100010a 0000901f 0 [end]',
    'endpoints nftlane 0',
    '\telement 0200600a 00005000  : 0 [end]',
  ]);
  const keys = ['10.96.0.1 . 80', '10.96.0.2 . 80'];
  const found = await lookUpElements(program, 'ip', [{ ...query, keys }]);
  t.strictSame([...found], [['endpoints', [{ key: keys[0], data: '10.1.0.1 . 8080', comment: '', packets: 0 }]]]);
  t.strictSame(scripts, [
    `-t --debug=netlink -i\n${keys.map((key) => `list tables; get element ip nftlane endpoints { ${key} }\n`).join('')}`,
  ]);
});

t.test('lookUpElements() reads only existing elements with an nft that prints no debugging output', async (t) => {
  const { program, scripts } = nft('/dev/stdin:2:1-2: Error: Could not process rule: No such file or directory\n');
  const found = await lookUpElements(program, 'ip', [query]);
  t.strictSame(
    found.get('endpoints')?.map(({ key, data }) => `${key}: ${data}`),
    ['10.96.0.1 . 80: 10.1.0.1', '10.96.0.2 . 80: 10.1.0.2'],
  );
  t.equal(scripts[2], '-f -\nget element ip nftlane endpoints { 10.96.0.1 . 80 }\n');
});

t.test('lookUpElements() does not read sets, whose elements have no values', async (t) => {
  const { program, scripts } = nft('');
  const found = await lookUpElements(program, 'ip', [{ ...query, kind: 'set', name: 'cluster-ips', keys: ['a'] }]);
  t.strictSame(found.get('cluster-ips'), [{ key: 'a', data: '', comment: '', packets: 0 }]);
  t.equal(scripts.length, 2);
});

t.test(
  'lookUpElements() lists a set or map if the kernel does not allow the check, or its keys are intervals',
  async (t) => {
    const denied = nft('/dev/stdin:1:1-2: Error: Could not process rule: Operation not permitted\n');
    t.equal((await lookUpElements(denied.program, 'ip', [query])).get('endpoints')?.length, 2);
    t.equal(denied.scripts.at(-1), '-f -\nlist map ip nftlane endpoints\n');
    const interval = nft('');
    await lookUpElements(interval.program, 'ip', [{ ...query, isInterval: true }]);
    t.strictSame(interval.scripts, ['-f -\nlist map ip nftlane endpoints\n']);
  },
);
