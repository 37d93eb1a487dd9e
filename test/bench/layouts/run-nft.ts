// Runs nft once and measures the time.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface NftRun {
  readonly input?: string;
  readonly timeoutMs: number;
}

/** Returns the duration in milliseconds. Discards the output. */
export async function runNft(args: readonly string[], { input = '', timeoutMs }: NftRun): Promise<number> {
  const started = performance.now();
  const child = spawn('nft', args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  const errors: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status, signal] = await once(child, 'close');
  if (signal !== null) throw new Error(`> ${Math.round(timeoutMs / 1000)} s`);
  if (status !== 0) throw new Error(`nft ${args.join(' ')}: ${errors.join('').slice(0, 500)}`);
  return performance.now() - started;
}
