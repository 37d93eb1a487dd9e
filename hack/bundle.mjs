// Bundles the program and its dependencies into one file, for hack/build.sh.
//   node hack/bundle.mjs OUT VERSION BANNER [INPUTS]     INPUTS: the file for the names of the bundled files, as JSON

import { writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const [, , outfile, version, banner, inputsFile] = process.argv;

// The Kubernetes client only reads kubeconfigs and credentials. Its generated API classes and their HTTP client are never
// called; without them the daemon takes 15 MB less memory.
const LEFT_OUT = {
  undici: ['Agent', 'ProxyAgent', 'fetch'],
  './gen/index.js': ['createConfiguration', 'ServerConfiguration'],
};

const leaveOut = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$|^\.\/gen\/index\.js$/ }, ({ path, importer }) =>
      importer.includes('@kubernetes/client-node') ? { path, namespace: 'left-out' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'left-out' }, ({ path }) => ({
      contents: LEFT_OUT[path]
        .map((name) => `export function ${name}() { throw new Error('"${name}" is left out of the bundle'); }`)
        .join('\n'),
    }));
  },
};

const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  banner: { js: banner },
  define: { NFTLANE_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
  metafile: true,
  plugins: [leaveOut],
});

// Files of which nothing is left do not count.
const files = Object.values(metafile.outputs).flatMap(({ inputs }) =>
  Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
);
if (inputsFile) writeFileSync(inputsFile, JSON.stringify(files));
