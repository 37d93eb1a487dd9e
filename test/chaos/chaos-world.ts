// The world of a chaos run: a node with nftlane, the test API server, pods, and a daemon that can be killed and restarted.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allPids, commandLineOf, parentOf } from '../bench/system/proc.ts';
import { type Program, startProgram } from '../bench/system/program.ts';
import { cleanUpOnError } from '../support/clean-up-on-error.ts';
import { Daemon } from '../support/netns/daemon.ts';
import { buildProgram } from '../support/netns/installation.ts';
import {
  dualStackService,
  nodeFlags,
  nodeObjects,
  serviceAddresses,
  serviceCidrObject,
  sliceObjects,
} from '../support/netns/manifests.ts';
import { type ExecResult, execute, start } from '../support/netns/process.ts';
import { PORTS } from '../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES } from '../support/netns/topology.ts';
import { createWorld, type World } from '../support/netns/world.ts';
import { poll } from '../support/wait-until.ts';

/** The Service whose endpoints never change. */
export const HEALTHY = 'stable/healthy';
export const HEALTHY_NODE_PORT = 30_080;
/** Services that change. Their endpoints do not exist: no traffic goes there. */
export const CHANGING_SERVICES = 300;
/** Small enough to be filled quickly, and large enough for the daemon. */
const DISK_SIZE = '256k';
/** A silent watch is given up after 75 s. */
const RECOVERY_MS = 150_000;

/** Mounts small file systems that faults can fill, then runs the command in `"$@"`. */
const MOUNT_DISKS = `mount -t tmpfs -o size=${DISK_SIZE} none /dev/shm && mount -t tmpfs -o size=${DISK_SIZE} none "$0" && exec "$@"`;

/** The caller closes it. */
export async function createChaosWorld(): Promise<ChaosWorld> {
  // Not below /tmp: file systems of the daemon are mounted over directories there.
  const scratch = await mkdtemp('/var/tmp/nftlane-chaos-');
  const program = await buildProgram(join(scratch, 'nftlane.mjs'));
  const world = await createWorld({ pods: { node1: ['a', 'b', 'shell'], node2: ['c'] } });
  return cleanUpOnError(
    () => world.destroy(),
    async () => {
      const chaos = new ChaosWorld(world, { scratch, program, api: await startApi(world, scratch) });
      await chaos.start();
      return chaos;
    },
  );
}

function startApi(world: World, scratch: string): Promise<Program> {
  const flags = ['--listen', CLIENT.ip, '--kubeconfig-out', join(scratch, 'kubeconfig')];
  const load = ['--services', String(CHANGING_SERVICES), '--endpoints', '5'];
  return startProgram(world.client, 'support/api-server/main.ts', [...flags, ...load]);
}

export class ChaosWorld {
  readonly world: World;
  readonly api: Program;
  /** Whether the next daemon owns its tables. */
  ownership: 'auto' | 'no' = 'auto';
  readonly healthyAt: Addresses = serviceAddresses(10);
  readonly #scratch: string;
  readonly #program: string;
  #pid = 0;
  #requests: Promise<unknown> = Promise.resolve();
  /** All daemons so far; the last one runs. */
  readonly #daemons: Daemon[] = [];

  constructor(world: World, { scratch, program, api }: { scratch: string; program: string; api: Program }) {
    this.world = world;
    this.api = api;
    this.#scratch = scratch;
    this.#program = program;
  }

  /** Writes the objects and starts servers and the daemon. */
  async start(): Promise<void> {
    const ports = { tcp: [8080], udp: [8080] };
    await Promise.all(['a', 'b', 'c'].map((pod) => this.world.pod(pod).respond(ports)));
    const withNodePorts = PORTS.map((port) => ({ ...port, nodePort: HEALTHY_NODE_PORT }));
    const objects = [
      ...nodeObjects(),
      serviceCidrObject(),
      dualStackService(HEALTHY, this.healthyAt, { ports: withNodePorts }),
      ...sliceObjects(this.world, HEALTHY, { ports: PORTS, pods: ['a', 'b', 'c'] }),
    ];
    for (const object of objects) await this.request(`put ${JSON.stringify(object)}`);
    await this.startDaemon();
  }

  /** The process ID of the daemon; 0 when it does not run. */
  get pid(): number {
    return this.#pid;
  }

  get daemon(): Daemon {
    const daemon = this.#daemons.at(-1);
    if (daemon === undefined) throw new Error('The daemon does not run');
    return daemon;
  }

  /** The directory of the daemon's socket, a small file system that only the daemon sees. */
  get runDir(): string {
    return join(this.#scratch, 'run');
  }

  /** Starts the daemon and waits for its ruleset. */
  async startDaemon(): Promise<void> {
    const flags = ['--kubeconfig', join(this.#scratch, 'kubeconfig'), '--run-dir', this.runDir, ...nodeFlags('node1')];
    const enter = ['ip', 'netns', 'exec', this.world.node1.name];
    const command = [
      ...enter,
      process.execPath,
      this.#program,
      'run',
      ...flags,
      '--table-ownership',
      this.ownership,
      '--log-format',
      'json',
    ];
    await execute('mkdir', ['-p', this.runDir]);
    // Each program in the chain replaces the one before, so the ID of the child is that of the daemon.
    const child = this.world.node1.adopt(start('unshare', ['-m', 'sh', '-c', MOUNT_DISKS, this.runDir, ...command]));
    const daemon = new Daemon(child, () => this.run('diff'));
    this.#daemons.push(daemon);
    this.#pid = child.pid ?? 0;
    await daemon.waitForLog('ruleset complete', 0, RECOVERY_MS);
  }

  /** Kills the daemon, or stops it with SIGTERM, and starts another after a pause. */
  async restartDaemon(how: 'kill' | 'stop', afterMs: number): Promise<void> {
    const daemon = this.daemon;
    this.#pid = 0;
    if (how === 'kill') await daemon.kill();
    else await daemon.stop();
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await this.startDaemon();
  }

  signalDaemon(signal: NodeJS.Signals): void {
    if (this.#pid > 0) process.kill(this.#pid, signal);
  }

  /** The nft processes of the daemon that were started with this argument, such as `-i` or `monitor`. */
  nftPids(argument: string): number[] {
    const own = allPids().filter((pid) => parentOf(pid) === this.#pid);
    return own.filter((pid) => commandLineOf(pid).includes(argument));
  }

  /** Runs a command of nftlane with the file systems of the daemon. */
  run(...args: readonly string[]): Promise<ExecResult> {
    return this.inDaemon(process.execPath, this.#program, ...args, '--run-dir', this.runDir);
  }

  /** Runs any command in the namespaces of the daemon. */
  inDaemon(...command: readonly string[]): Promise<ExecResult> {
    return execute('nsenter', ['-t', String(this.#pid), '-m', '-n', '--', ...command]);
  }

  /** Runs nft on the node, as another program does. Returns whether nft succeeded. */
  async nft(script: string): Promise<boolean> {
    const { status } = await this.world.node1.exec('nft', ['-f', '-'], { input: `${script}\n` });
    return status === 0;
  }

  /** The tables of the node with their handles, which a table that is deleted and created again does not keep. */
  async tables(): Promise<string> {
    return (await this.world.node1.exec('nft', ['-j', 'list', 'tables'])).stdout;
  }

  /** Sends a command to the API server, which executes one at a time. */
  request(line: string): Promise<string> {
    const answer = this.#requests.then(() => this.api.request(line));
    this.#requests = answer.catch(() => undefined);
    return answer;
  }

  /**
   * Waits until the kernel has exactly what the API server's objects demand: by the daemon's own comparison, and by a
   * comparison with the objects that does not use the daemon. Throws with the differences after a minute.
   */
  async waitUntilEqual(): Promise<void> {
    const file = join(this.#scratch, 'objects.json');
    const items: unknown = JSON.parse((await this.request('dump')).replace(/^ok /, ''));
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    for (const args of [['diff'], ['diff', '-f', file, ...nodeFlags('node1')]]) {
      await poll(() => this.run(...args), {
        until: ({ status }) => status === 0,
        failure: ({ stdout, stderr }) => `"${args.join(' ')}" finds differences\n${stdout}${stderr}\n${this.logTail()}`,
        timeoutMs: RECOVERY_MS,
        everyMs: 200,
      });
    }
  }

  logTail(): string {
    return this.daemon.log
      .slice(-30)
      .map((entry) => JSON.stringify(entry))
      .join('\n');
  }

  /** Errors in the logs that no fault explains: crashes. */
  get crashes(): string[] {
    return this.#daemons.flatMap(({ log }) => log.filter(({ level }) => level === 'fatal').map(({ msg }) => msg));
  }

  /** Everything that the daemons have logged, one JSON document per line. */
  get log(): string {
    return this.#daemons.map(({ log }) => log.map((entry) => `${JSON.stringify(entry)}\n`).join('')).join('');
  }

  async close(): Promise<void> {
    if (this.#pid > 0) {
      process.kill(this.#pid, 'SIGCONT');
      await this.daemon.stop();
    }
    this.api.stop();
    await this.world.destroy();
    await rm(this.#scratch, { recursive: true, force: true });
  }
}

export const NODE_ADDRESSES: Addresses = NODES.node1;
