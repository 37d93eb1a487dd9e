// Prints the software bill of materials of the image as CycloneDX JSON: the npm packages in the bundle, as the lock file has them,
// and the Debian packages and the node of the root. `npm sbom` lists what is installed, not what is bundled, and Debian's npm
// does not have it.
//   node hack/image/sbom.mjs ROOT INPUTS     INPUTS: the files of the bundle, from hack/bundle.mjs

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , root, inputs] = process.argv;
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const locked = readJson('package-lock.json').packages;

/** The directories of the packages that these files are from. */
function packageDirectories(files) {
  const matches = files.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]);
  return [...new Set(matches.filter((path) => path !== undefined))].sort();
}

function npmComponent(path) {
  const { version, integrity, license } = locked[path];
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [algorithm, digest] = integrity.split(/-(.*)/s);
  const content = Buffer.from(digest, 'base64').toString('hex');
  return {
    ...{ 'bom-ref': purl, type: 'library', name, version, purl },
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content }],
    licenses: license === undefined ? [] : [/ /.test(license) ? { expression: license } : { license: { id: license } }],
  };
}

function debianComponent(file) {
  const text = readFileSync(join(root, 'var/lib/dpkg/status.d', file), 'utf8');
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [name, version] = [field('Package'), field('Version')];
  const [source = name, sourceVersion = version] = field('Source').match(/[^ ()]+/g) ?? [];
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${field('Architecture')}&distro=debian-13`;
  const properties = [
    { name: 'nftlane:debian:source', value: source },
    { name: 'nftlane:debian:sourceVersion', value: sourceVersion },
  ];
  return { 'bom-ref': purl, type: 'library', name, version, purl, properties };
}

function nodeComponent() {
  const { version } = readJson('node_modules/node/package.json');
  const purl = `pkg:generic/node@${version}`;
  return { 'bom-ref': purl, type: 'platform', name: 'node', version, purl };
}

const components = [
  ...packageDirectories(readJson(inputs)).map(npmComponent),
  ...readdirSync(join(root, 'var/lib/dpkg/status.d')).sort().map(debianComponent),
  nodeComponent(),
];
// Neither a time nor a random number: the same image has the same file.
const digest = createHash('sha256').update(JSON.stringify(components)).digest('hex');
const serial = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(digest).slice(1);
const [first, second, third, fourth, fifth] = serial;
const { name, version, description, license } = readJson('package.json');
const bom = {
  $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
  ...{ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 },
  serialNumber: `urn:uuid:${first}-${second}-8${third}-8${fourth}-${fifth}`,
  metadata: {
    component: {
      ...{ 'bom-ref': `pkg:oci/${name}@${version}`, type: 'container', name, version, description },
      ...{ purl: `pkg:oci/${name}@${version}`, licenses: [{ license: { id: license } }] },
    },
  },
  components,
};
console.log(JSON.stringify(bom, undefined, 2));
