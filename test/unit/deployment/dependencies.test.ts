// The dependencies are pinned, and every package is checked by its hash.

import { readFileSync } from 'node:fs';
import t from 'tap';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
}

const read = (path: string) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'));
const manifest: { dependencies: Record<string, string>; devDependencies: Record<string, string> } =
  read('package.json');
const lock: { packages: Record<string, LockedPackage> } = read('package-lock.json');

t.test('package.json names one version of each dependency, that of the lock file', async (t) => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+$/, name);
    t.equal(version, lock.packages[`node_modules/${name}`]?.version, name);
  }
});

t.test('the lock file has the hash of every package', async (t) => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  t.ok(packages.length > 100, `${packages.length} packages`);
  t.strictSame(
    packages.filter(([, { integrity = '' }]) => !integrity.startsWith('sha512-')).map(([path]) => path),
    [],
  );
});
