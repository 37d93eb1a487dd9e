// One run of nft, timed from its start to its end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface NftRun {
  readonly input?: string;
  readonly timeoutMs: number;
}

/** Milliseconds that it took. What it prints goes nowhere. */
export async function runNft(args: readonly string[], { input = '', timeoutMs }: NftRun): Promise<number> {
  const started = performance.now();
  const child = spawn('nft', args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  const complaints: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status, signal] = await once(child, 'close');
  if (signal !== null) throw new Error(`> ${Math.round(timeoutMs / 1000)} s`);
  if (status !== 0) throw new Error(`nft ${args.join(' ')}: ${complaints.join('').slice(0, 500)}`);
  return performance.now() - started;
}
