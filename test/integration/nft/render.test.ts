// Tests of `render`, `lint`, `diff` and `doctor` with all clusters of test/golden combined.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { buildProgram } from '../../support/netns/installation.ts';
import { type ExecResult, execute, killGroup, start } from '../../support/netns/process.ts';
import { outputLines } from '../../support/netns/program-output.ts';

const GOLDEN = fileURLToPath(new URL('../../golden/', import.meta.url));
/** Statements that every ruleset of these clusters contains. */
const COMMON = [
  '!= @source-ranges',
  'fib saddr type local',
  'jhash',
  'masquerade',
  'numgen',
  'reject with tcp reset',
  'update @',
];
const PODS = ['--cluster-cidr', '10.1.0.0/16,fd00:1::/48'];
const NODE_PORTS = ['--nodeport-addresses', 'primary,localhost'];
const DONE = { status: 0, stdout: '', stderr: '', timedOut: false };
/** Sufficient for an emulated machine. */
const TIMEOUT_MS = 60_000;

t.setTimeout(300_000);
const scratch = await mkdtemp(join(tmpdir(), 'nftlane-render-'));
const manifests = join(scratch, 'manifests');
await mkdir(manifests);
const program = await buildProgram(join(scratch, 'nftlane.mjs'));
// A network namespace with the addresses of the node in the golden clusters.
const holder = start('unshare', [
  '-n',
  'sh',
  '-c',
  'ip link set lo up && ip addr add 192.0.2.1 dev lo && ip addr add 2001:db8::1 dev lo && echo ready && exec cat',
]);
t.teardown(async () => {
  killGroup(holder);
  await rm(scratch, { recursive: true, force: true });
});
await outputLines(holder, 'holder of the namespace').next();

/** Changes the names and addresses of a cluster, so that all clusters can be combined. */
function renumbered(yaml: string, number: number): string {
  return yaml
    .replaceAll('namespace: shop', `namespace: shop-${number}`)
    .replaceAll(/\b10\.96\.0\.(\d+)/g, (all, host) => (host === '0' ? all : `10.97.${number}.${host}`))
    .replaceAll(/\bfd00:96::(\d+)"/g, `fd00:96::${number}$1"`)
    .replaceAll('198.51.100.', `198.51.${number}.`)
    .replaceAll('203.0.113.', `203.0.${number}.`)
    .replaceAll(/\bnodePort: (30\d+)/g, (_all, port) => `nodePort: ${Number(port) + 100 * number}`);
}

const folders = (await readdir(GOLDEN, { withFileTypes: true })).filter((entry) => entry.isDirectory());
/** The namespaces with Services, by number. */
const served: number[] = [];
for (const [number, { name }] of folders.entries()) {
  const yaml = await readFile(join(GOLDEN, name, 'cluster.yaml'), 'utf8');
  await writeFile(join(manifests, `${name}.yaml`), renumbered(yaml, number));
  if (/^kind: Service$/m.test(yaml) && yaml.includes('namespace: shop')) served.push(number);
}

function run(command: string, args: readonly string[], input = ''): Promise<ExecResult> {
  return execute('nsenter', ['-t', String(holder.pid), '-n', command, ...args], { input, timeoutMs: TIMEOUT_MS });
}

/** Runs a command of nftlane on these clusters. */
const nftlane = (...args: readonly string[]) => run(process.execPath, [program, ...args, '-f', manifests]);

const byAddress = ['--node-name', 'n1', ...PODS, ...NODE_PORTS];
const byDevice = [
  '--node-name',
  'n1',
  '--detect-local-mode',
  'InterfaceNamePrefix',
  '--pod-interface-name-prefix',
  'veth',
];
for (const { how, flags, has } of [
  {
    how: 'render, load and diff with pods recognized by address',
    flags: byAddress,
    has: ['fib daddr . iif oif exists', ...COMMON],
  },
  {
    how: 'render, load and diff with pods recognized by interface',
    flags: byDevice,
    has: ['iifname "veth*"', ...COMMON],
  },
]) {
  t.test(how, async (t) => {
    const rendered = await nftlane('render', ...flags);
    t.equal(rendered.status, 0, rendered.stderr);
    for (const statement of has) t.ok(rendered.stdout.includes(statement), statement);
    for (const number of served) t.ok(rendered.stdout.includes(`shop-${number}/`), `${folders[number]?.name}`);
    // Twice, to check that existing tables are replaced.
    for (const message of ['loaded', 'loaded again']) {
      t.strictSame(await run('nft', ['-f', '-'], rendered.stdout), DONE, message);
    }
    const stdout = `# node n1; manifests in ${manifests}, read now; daemon not asked\n`;
    const { stderr } = rendered;
    t.match(stderr, /^warning: /);
    t.strictSame(await nftlane('diff', ...flags), { ...DONE, stdout, stderr }, 'there are no differences');
  });
}

t.test('lint names what is wrong, without a kernel, and its exit status says so', async (t) => {
  const all = await execute(process.execPath, [program, 'lint', '--node-name', 'n1', '-f', manifests]);
  t.match(all, { status: 1, stdout: /^Service shop-\d+\/.*: spec\..*$/m });
  t.match(all.stdout, / Services, \d+ problems\n$/);
  const good = join(GOLDEN, 'dual-stack', 'cluster.yaml');
  const right = await execute(process.execPath, [program, 'lint', '--node-name', 'n1', '-f', good, '-o', 'json']);
  t.match({ ...JSON.parse(right.stdout), status: right.status }, { status: 0, issues: [], conflicts: [] });
  const absent = await execute(process.execPath, [program, 'lint', '-f', join(scratch, 'absent')]);
  t.match(absent, { status: 4, stdout: /absent/ });
});

t.test('diff reports removed rules', async (t) => {
  const { stdout } = await nftlane('render', ...byDevice);
  t.strictSame(await run('nft', ['-f', '-'], stdout), DONE);
  t.equal((await run('nft', ['flush', 'chain', 'ip', 'nftlane', 'nat-postrouting'])).stderr, '');
  const { status, stdout: differences } = await nftlane('diff', ...byDevice);
  t.equal(status, 1);
  t.match(differences, /^\+ ip chain nat-postrouting rule 1: meta mark .* masquerade/m);
});

t.test('doctor finds all required features', async (t) => {
  const { stdout } = await run(process.execPath, [program, 'doctor', '-o', 'json']);
  const { checks }: { checks: readonly { name: string; status: string }[] } = JSON.parse(stdout);
  for (const name of ['IPv4 nftables', 'IPv6 nftables']) {
    t.match(
      checks.find((check) => check.name === name),
      { status: 'ok' },
    );
  }
});

t.test('an old node is refused in one line', async (t) => {
  const versions = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })";
  const old = `--import=data:text/javascript,${encodeURIComponent(versions)}`;
  const { status, stderr } = await execute(process.execPath, [old, program, 'version']);
  t.match(
    { status, stderr },
    { status: 3, stderr: /^nftlane: Cannot start: node 20\.1\.0 is too old: node \d+ is required\n$/ },
  );
});
