// The daemon with the rights of a pod, seccomp included, forwards packets and answers its commands, also as another user.

import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Daemon } from '../../support/netns/daemon.ts';
import {
  dualStackService,
  nodeFlags,
  nodeObjects,
  serviceAddresses,
  serviceCidrObject,
  sliceObjects,
  writeManifest,
} from '../../support/netns/manifests.ts';
import { output } from '../../support/netns/process.ts';
import { PORTS } from '../../support/netns/proxied-world.ts';
import { createWorld } from '../../support/netns/world.ts';
import { DENIED_CALLS, makeImageFiles, runContainer, startContainer, WITH_SECCOMP } from './container.ts';

const USER = 65_532;
const ANSWERS = { tcp: [8080], udp: [8080] };
const [WEB, NEW] = [serviceAddresses(10), serviceAddresses(11)];

t.setTimeout(360_000);
await makeImageFiles();
const scratch = await mkdtemp(join(tmpdir(), 'nftlane-rights-'));
const [manifests, runDir] = [join(scratch, 'manifests'), join(scratch, 'run')];
const world = await createWorld({ pods: { node1: ['a', 'shell'] } });
t.teardown(async () => {
  await world.destroy();
  await rm(scratch, { recursive: true });
});
await Promise.all([mkdir(manifests), mkdir(runDir), chmod(scratch, 0o755), world.pod('a').respond(ANSWERS)]);
const dialer = await world.pod('shell').dialer();
const objects = (name: string, at: typeof WEB) => [
  dualStackService(name, at, { ports: PORTS }),
  ...sliceObjects(world, name, { ports: PORTS, pods: ['a'] }),
];
await writeManifest(manifests, 'cluster.yaml', [...nodeObjects(), serviceCidrObject(), ...objects('shop/web', WEB)]);

const RUN = ['run', '--manifests', '/run/input', ...nodeFlags('node1'), '--log-format', 'json'];
const rights = (user: number) => ({
  inputDirectory: manifests,
  volumes: [{ from: runDir, at: '/run/nftlane', isReadOnly: false }],
  user,
  hasSeccompFilter: true,
});
const run = (user: number, ...args: readonly string[]) => runContainer(world.node1, args, rights(user));
const start = (user: number) => new Daemon(startContainer(world.node1, RUN, rights(user)), () => run(user, 'diff'));

async function answersAt(t: Test, at: typeof WEB): Promise<void> {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const address of [at.ip, at.ip6]) {
      const report = await dialer.dial({ protocol, address, port: 80, count: 10 });
      t.equal(report.answered, 10, `${protocol} ${address} ${JSON.stringify(report)}`);
    }
  }
}

/** The different messages above the level `info`. */
function warningsOf({ log }: Daemon): string[] {
  return [...new Set(log.filter(({ level }) => level !== 'info').map(({ msg }) => msg))].sort();
}

/** What each call fails with, as "NAME ERROR". */
async function errorsOf(command: string, ...args: readonly string[]): Promise<string[]> {
  return (await output(command, args)).trimEnd().split('\n');
}

t.test('the seccomp filter denies calls of a process with all capabilities', async (t) => {
  const samples = ['unshare', 'setns', 'mount', 'umount2', 'clone', 'bpf', 'socket'];
  const unfiltered = await errorsOf(DENIED_CALLS, ...samples);
  t.equal(unfiltered.length, samples.length);
  for (const line of unfiltered) t.notMatch(line, / EPERM$/, 'only the filter denies it');
  const filtered = await errorsOf(WITH_SECCOMP, DENIED_CALLS);
  t.ok(filtered.length > 40, `${filtered.length} calls`);
  for (const line of filtered) t.match(line, /^(clone3|unknown) ENOSYS$|^(?!clone3|unknown)\w+ EPERM$/);
});

for (const user of [0, USER]) {
  t.test(`as user ${user} with NET_ADMIN alone, it loads, forwards, follows changes and answers`, async (t) => {
    await chown(runDir, user, user);
    const daemon = start(user);
    await daemon.waitForLog('ruleset complete');
    const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
    for (const line of ['CapPrm', 'CapEff', 'CapBnd'])
      t.match(status, new RegExp(`^${line}:\\t0000000000001000$`, 'm'));
    t.match(status, /^NoNewPrivs:\t1$/m);
    t.match(status, /^Seccomp:\t2$/m, 'a filter applies');
    t.match(status, new RegExp(`^Uid:\\t${user}\\t${user}\\t`, 'm'));
    await answersAt(t, WEB);
    await writeManifest(manifests, 'new.yaml', objects('shop/new', NEW));
    await daemon.waitUntilReady();
    await answersAt(t, NEW);
    t.match(await run(user, 'inspect', 'services'), { status: 0, stdout: /shop\/new/ });
    t.match(await run(user, 'diff'), { status: 0 });
    t.match(await run(user, 'explain', `${world.pod('shell').ip}`, `${WEB.ip}:80/tcp`), { status: 0 });
    const doctor = await run(user, 'doctor');
    t.match(doctor, { status: 0, stdout: /ok +daemon .*\n(.*\n)*ok +ruleset +the kernel holds the desired ruleset\n/ });
    t.equal(/hashsize cannot be read/.test(doctor.stdout), user !== 0, 'only root can read this setting');
    await rm(join(manifests, 'new.yaml'));
    await daemon.waitForLog('deleted stale UDP conntrack entries');
    await daemon.waitUntilReady();
    t.strictSame(warningsOf(daemon), ['cannot set sysctl'], 'settings that the init container sets');
    const second = await run(user, ...RUN);
    t.match(second, { status: 3, stderr: /process \d+/ }, 'the lock works');
    t.equal(await daemon.stop(), 0);
    t.match(await run(user, 'cleanup'), { status: 0 });
  });
}

t.test('as another user with a run directory of root, it forwards and says what is missing', async (t) => {
  await chown(runDir, 0, 0);
  const daemon = start(USER);
  await daemon.waitForLog('ruleset complete');
  await answersAt(t, WEB);
  await daemon.waitForLog('cannot write state files; without the daemon, commands know only the kernel');
  t.strictSame(warningsOf(daemon), [
    'cannot create admin socket; inspection commands are unavailable',
    'cannot set sysctl',
    'cannot write state files; without the daemon, commands know only the kernel',
  ]);
  t.match(await run(USER, 'inspect', 'services'), { status: 3, stderr: /Cannot read daemon state/ });
  t.match(await run(USER, 'doctor'), { status: 1, stdout: /problem +daemon +no daemon answers/ });
  t.equal(await daemon.stop(), 0);
});
