// Feeds mutated inputs to targets, and keeps those that fail in the corpus.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadFactor } from '../support/load-factor.ts';
import { Random } from '../support/random.ts';
import { mutateText } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

export interface FuzzOptions {
  readonly targets: readonly FuzzTarget[];
  /** In total; each target gets its share. */
  readonly inputs: number;
  readonly seed: number;
}

export interface FuzzFailure {
  readonly target: string;
  readonly input: string;
  readonly reason: string;
}

export interface FuzzResults {
  readonly inputs: Readonly<Record<string, number>>;
  readonly slowestMs: Readonly<Record<string, number>>;
  readonly failures: readonly FuzzFailure[];
}

const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));
const MAX_MS = 1000;
const MAX_FAILURES_PER_TARGET = 20;
/** Mutations are mutated again, from a pool of this size. */
const POOL_SIZE = 200;
const MAX_LENGTH = 100_000;

/** Runs the corpus first, then mutations. The same seed gives the same inputs. */
export async function runFuzz({ targets, inputs, seed }: FuzzOptions): Promise<FuzzResults> {
  const totalWeight = targets.reduce((sum, { weight }) => sum + weight, 0);
  const results = { inputs: {}, slowestMs: {}, failures: [] } as {
    inputs: Record<string, number>;
    slowestMs: Record<string, number>;
    failures: FuzzFailure[];
  };
  for (const target of targets) {
    const runner = new TargetRunner(target);
    for (const input of await readCorpus(target.name)) await runner.run(input);
    const random = new Random(seed);
    const count = Math.ceil((inputs * target.weight) / totalWeight);
    while (runner.count < count && runner.failures.length < MAX_FAILURES_PER_TARGET) await runner.runNext(random);
    results.inputs[target.name] = runner.count;
    results.slowestMs[target.name] = Math.round(runner.slowestMs);
    results.failures.push(...runner.failures);
    await target.close?.();
  }
  return results;
}

class TargetRunner {
  readonly #target: FuzzTarget;
  readonly #pool: string[];
  readonly failures: FuzzFailure[] = [];
  count = 0;
  slowestMs = 0;

  constructor(target: FuzzTarget) {
    this.#target = target;
    this.#pool = [...target.seeds];
  }

  async runNext(random: Random): Promise<void> {
    const { mutate = mutateText, seeds } = this.#target;
    const input = mutate(random.pick(this.#pool) ?? '', random).slice(0, MAX_LENGTH);
    // Seeds stay in the pool: after many mutations of mutations, hardly anything is valid.
    if (this.#pool.length < POOL_SIZE) this.#pool.push(input);
    else this.#pool[random.integer(seeds.length, POOL_SIZE - 1)] = input;
    await this.run(input);
  }

  async run(input: string): Promise<void> {
    this.count++;
    const startedAt = performance.now();
    try {
      await this.#target.run(input);
    } catch (error) {
      this.#fail(input, error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    const duration = performance.now() - startedAt;
    this.slowestMs = Math.max(this.slowestMs, duration);
    if (duration > MAX_MS * loadFactor()) this.#fail(input, `It took ${Math.round(duration)} ms`);
  }

  #fail(input: string, reason: string): void {
    this.failures.push({ target: this.#target.name, input, reason });
  }
}

/** The inputs that failed once, and others worth keeping. */
async function readCorpus(target: string): Promise<string[]> {
  const files = await readdir(join(CORPUS, target)).catch(() => []);
  return Promise.all(files.sort().map((file) => readFile(join(CORPUS, target, file), 'utf8')));
}

/** Adds a failed input to the corpus. Returns its path. */
export async function keepInput({ target, input }: FuzzFailure): Promise<string> {
  const directory = join(CORPUS, target);
  await mkdir(directory, { recursive: true });
  const path = join(directory, createHash('sha256').update(input).digest('hex').slice(0, 16));
  await writeFile(path, input);
  return path;
}
