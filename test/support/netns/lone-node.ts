// A node in a network namespace of its own, with the test API server and a daemon that can be stopped and killed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon } from './daemon.ts';
import { buildProgram, OPEN_TABLES } from './installation.ts';
import { type ExecResult, execute, killGroup, type PipedChild, start } from './process.ts';
import { outputLines } from './program-output.ts';

const API_SERVER = fileURLToPath(new URL('../api-server/main.ts', import.meta.url));

interface LoneNodeOptions {
  /** Services of the API server, with three endpoints each. */
  readonly services: number;
  /** The size of the run directory's file system. */
  readonly runDirSize: string;
}

/** The caller closes it. */
export async function createLoneNode(options: LoneNodeOptions): Promise<LoneNode> {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-lone-'));
  const program = await buildProgram(join(scratch, 'nftlane.mjs'));
  const setUp = `mkdir ${scratch}/run && mount -t tmpfs -o size=${options.runDirSize} none ${scratch}/run && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && ip link set lo up && ip addr add 192.0.2.1 dev lo && ip route add default dev lo`;
  const holder = start('unshare', [
    '-n',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    `${setUp} && echo ready && exec cat`,
  ]);
  await outputLines(holder, 'holder of the namespace').next();
  return new LoneNode({ scratch, program, holder, services: options.services });
}

export class LoneNode {
  readonly #scratch: string;
  readonly #program: string;
  readonly #holder: PipedChild;
  readonly #services: number;
  readonly #children = new Set<PipedChild>();
  #api: PipedChild | undefined;
  #daemon: PipedChild | undefined;
  #answers: AsyncGenerator<string, never, undefined> | undefined;

  constructor(options: { scratch: string; program: string; holder: PipedChild; services: number }) {
    this.#scratch = options.scratch;
    this.#program = options.program;
    this.#holder = options.holder;
    this.#services = options.services;
  }

  get runDir(): string {
    return join(this.#scratch, 'run');
  }

  /** The process ID of the daemon. */
  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Starts the API server, always at the same address. */
  async startApiServer(): Promise<void> {
    const load = ['--services', String(this.#services), '--endpoints', '3'];
    const at = ['--port', '6443', '--kubeconfig-out', join(this.#scratch, 'kubeconfig')];
    // It is killed, and leaves its files.
    this.#api = this.#start('env', [`TMPDIR=${this.#scratch}`, process.execPath, API_SERVER, ...load, ...at]);
    this.#answers = outputLines(this.#api, 'API server');
    await this.#answers.next();
  }

  /** Executes a command of the API server. */
  async requestChange(line: string): Promise<void> {
    this.#api?.stdin.write(`${line}\n`);
    const answer = await this.#answers?.next();
    if (answer?.value.startsWith('ok') !== true) throw new Error(`Cannot run "${line}": ${answer?.value}`);
  }

  signalApiServer(signal: NodeJS.Signals): void {
    this.#api?.kill(signal);
  }

  startDaemon(): Daemon {
    const source = ['--kubeconfig', join(this.#scratch, 'kubeconfig'), '--node-name', 'n1'];
    const args = ['run', ...source, ...OPEN_TABLES, '--cluster-cidr', '10.0.0.0/8', '--run-dir', this.runDir];
    this.#daemon = this.#start(process.execPath, [this.#program, ...args, '--log-format', 'json']);
    return new Daemon(this.#daemon, () => this.nftlane('diff'));
  }

  /** Runs a command of nftlane. */
  nftlane(...args: readonly string[]): Promise<ExecResult> {
    return this.run(process.execPath, [this.#program, ...args, '--run-dir', this.runDir]);
  }

  run(command: string, args: readonly string[]): Promise<ExecResult> {
    return execute('nsenter', ['-t', String(this.#holder.pid), '-n', '-m', command, ...args]);
  }

  async close(): Promise<void> {
    for (const child of [...this.#children, this.#holder]) {
      child.kill('SIGCONT');
      killGroup(child);
    }
    await rm(this.#scratch, { recursive: true, force: true });
  }

  /** nsenter becomes the program, so the child's process ID is that of the program. */
  #start(command: string, args: readonly string[]): PipedChild {
    const child = start('nsenter', ['-t', String(this.#holder.pid), '-n', '-m', command, ...args]);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }
}
