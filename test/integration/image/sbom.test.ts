// The bill of materials lists what the image has: every bundled npm package, every Debian package, and node.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createWorld } from '../../support/netns/world.ts';
import { makeImageFiles, runContainer } from './container.ts';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const IMAGE = `${REPOSITORY}.cache/image`;
const PACKAGE_COMMENT = /^\/\/ (?:[^\s:]+\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//gm;

t.setTimeout(360_000);
await makeImageFiles();
const text = await readFile(`${IMAGE}/program/sbom.cdx.json`, 'utf8');
const bom: { readonly components: readonly Component[] } = JSON.parse(text);
const ofType = (type: string) => bom.components.filter(({ purl }) => purl.startsWith(`pkg:${type}/`));

t.test('it is CycloneDX without a time, so that the image is reproducible', async (t) => {
  t.match(bom, {
    ...{ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 },
    serialNumber: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    metadata: { component: { type: 'container', name: 'nftlane' }, timestamp: undefined },
  });
  t.equal(new Set(bom.components.map(({ purl }) => purl)).size, bom.components.length, 'each component once');
});

t.test('it lists every npm package of the bundle, with the version and hash of the lock file', async (t) => {
  const bundle = await readFile(`${IMAGE}/program/nftlane.mjs`, 'utf8');
  const bundled = new Set([...bundle.matchAll(PACKAGE_COMMENT)].map(([, name = '']) => name));
  t.ok(bundled.size > 20, `${bundled.size} packages`);
  t.strictSame([...new Set(ofType('npm').map(({ name }) => name))].sort(), [...bundled].sort());
  const lock = JSON.parse(await readFile(`${REPOSITORY}package-lock.json`, 'utf8'));
  const hashes = new Map(
    Object.entries<{ version: string; integrity?: string }>(lock.packages).map(
      ([path, { version, integrity = '' }]) => [
        `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`,
        Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex'),
      ],
    ),
  );
  for (const { name, version, hashes: listed } of ofType('npm')) {
    t.strictSame(listed, [{ alg: 'SHA-512', content: hashes.get(`${name}@${version}`) }], name);
  }
});

t.test('it lists every Debian package of the root with its version', async (t) => {
  const directory = `${IMAGE}/root/var/lib/dpkg/status.d`;
  const present = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const [, version = ''] = /^Version: (.*)$/m.exec(await readFile(`${directory}/${name}`, 'utf8')) ?? [];
      return `${name} ${version}`;
    }),
  );
  t.ok(present.length > 20, `${present.length} packages`);
  t.strictSame(
    ofType('deb').map(({ name, version }) => `${name} ${version}`),
    present.sort(),
  );
});

t.test('its versions of node, nft and conntrack are those that run', async (t) => {
  const world = await createWorld();
  t.teardown(() => world.destroy());
  const versionOf = (name: string) => bom.components.find((component) => component.name === name)?.version ?? 'missing';
  for (const [program, name] of [
    ['/usr/bin/node', 'node'],
    ['/usr/sbin/nft', 'nftables'],
    ['/usr/sbin/conntrack', 'conntrack'],
  ] as const) {
    const { stdout } = await runContainer(world.node1, ['--version'], { program });
    const [, number = ''] = /v(\d+\.\d+\.\d+)/.exec(stdout) ?? [];
    t.match(versionOf(name).replace(/^\d+:/, ''), new RegExp(`^${number.replaceAll('.', '\\.')}(-|$)`), name);
  }
});
