// Runs nftlane in a namespace: the daemon, and its other commands.
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.ts';
import { type ExecOptions, type ExecResult, killGroup, output, type PipedChild } from './process.ts';

/** The program, and where its daemons make their sockets. */
export interface Installation {
  readonly program: string;
  readonly runDir: string;
}

/** One line of the log, which is JSON where nobody watches. */
export interface LogEntry {
  readonly level: string;
  readonly msg: string;
  readonly [detail: string]: unknown;
}

/** Enough for an emulated machine. */
const TIMEOUT_MS = 60_000;
const BUILD = fileURLToPath(new URL('../../../hack/build.sh', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Bundles the sources as they are now: unbundled, each start of the program would take three times as long. Returns where
 * it is; an emulated machine takes a minute for it, and is given one in TEST_PROGRAM.
 */
export async function buildProgram(path: string): Promise<string> {
  const given = process.env['TEST_PROGRAM'];
  if (given !== undefined) return given;
  await output('env', ['-C', ROOT, BUILD, path], { timeoutMs: 60_000 });
  return path;
}

/** Runs a command other than `run` to its end. */
export function nftlane(
  namespace: Namespace,
  args: readonly string[],
  { program, runDir }: Installation,
  options: ExecOptions = {},
): Promise<ExecResult> {
  return namespace.exec(process.execPath, [program, ...args, '--run-dir', runDir], options);
}

/** Starts `nftlane run` with these flags. It ends with `stop`, or with the world. */
export function startDaemon(namespace: Namespace, flags: readonly string[], installation: Installation): Daemon {
  const { program, runDir } = installation;
  const child = namespace.spawn(process.execPath, [program, 'run', '--run-dir', runDir, ...flags]);
  return new Daemon(child, () => nftlane(namespace, ['diff'], installation));
}

export class Daemon {
  readonly #child: PipedChild;
  readonly #diff: () => Promise<ExecResult>;
  readonly #lines: string[] = [];
  readonly #lineEvents = new EventEmitter<{ line: [] }>();
  readonly #ended: Promise<unknown>;

  constructor(child: PipedChild, diff: () => Promise<ExecResult>) {
    this.#child = child;
    this.#diff = diff;
    this.#ended = once(child, 'exit');
    child.stdout.resume();
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lines.push(line);
      this.#lineEvents.emit('line');
    });
  }

  /** What it has logged so far. What is no JSON is an entry of level `fatal`: the last words of a crash. */
  get log(): LogEntry[] {
    return this.#lines.map((line) => (line.startsWith('{') ? JSON.parse(line) : { level: 'fatal', msg: line }));
  }

  /** The first entry with this message, from the nth of the log on, as soon as it is there. */
  async waitForLog(message: string, from = 0, timeoutMs = TIMEOUT_MS): Promise<LogEntry> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const entry = this.log.slice(from).find(({ msg }) => msg === message);
      if (entry) return entry;
      await once(this.#lineEvents, 'line', { signal }).catch(() => this.#fail(`it has not logged "${message}"`));
    }
  }

  /** Resolves when the kernel holds what the daemon wants. */
  async waitUntilReady(): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS;
    while ((await this.#diff()).status !== 0) {
      if (this.#hasEnded) this.#fail('it has ended');
      if (performance.now() > deadline) this.#fail('it is not ready');
      await delay(50);
    }
  }

  /** Asks it to end, and kills it when it does not. Resolves with the exit status, `null` after a kill. */
  async stop(): Promise<number | null> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(this.#child), TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #fail(state: string): never {
    throw new Error(`Cannot go on with the daemon: ${state}\n${this.#lines.join('\n')}`);
  }
}
