// The process that namespace-tables.ts starts in a namespace: a line in is a question, a line out its answer.
import { createInterface } from 'node:readline';
import { exec } from '../../../src/host/process/exec.ts';
import { Kernel } from '../../../src/nftables/client/kernel.ts';
import { NftLost, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { Held } from '../../../src/nftables/plan/ledger.ts';
import type { NftComplaint } from '../../../src/nftables/syntax/complaint.ts';
import type { NftObject } from '../../../src/nftables/syntax/element.ts';
import type { ListedElement } from '../../../src/nftables/syntax/listing.ts';

export interface Question {
  readonly run?: readonly string[];
  readonly list?: true;
  readonly ruleCounts?: true;
  readonly count?: readonly NftObject[];
  readonly disturb?: readonly string[];
}

export interface Answer {
  readonly id: number;
  readonly refused?: readonly NftComplaint[];
  readonly lost?: string;
  readonly failed?: string;
  readonly elements?: readonly (readonly [object: string, held: readonly (readonly [key: string, held: Held])[]])[];
  readonly chains?: readonly string[];
  readonly rules?: readonly (readonly [chain: string, count: number])[];
  readonly counted?: readonly (readonly [object: string, elements: readonly ListedElement[]])[];
}

const [, , command = 'nft'] = process.argv;
const kernel = new Kernel({ command });

async function answer({ run, list, ruleCounts, count, disturb }: Question): Promise<Omit<Answer, 'id'>> {
  if (run !== undefined) await kernel.run(run);
  if (disturb !== undefined) await nft(disturb);
  if (count !== undefined) return { counted: [...(await kernel.count(count))] };
  if (ruleCounts !== undefined) return { rules: [...(await kernel.ruleCounts())] };
  if (list === undefined) return {};
  const { elements, chains } = await kernel.list();
  return { elements: [...elements].map(([object, held]) => [object, [...held]]), chains };
}

async function nft(lines: readonly string[]): Promise<void> {
  const { status, stderr } = await exec('nft', ['-f', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 20_000 });
  if (status !== 0) throw new Error(stderr);
}

function toFailure(error: unknown): Omit<Answer, 'id'> {
  if (error instanceof NftRefusal) return { refused: error.complaints };
  if (error instanceof NftLost) return { lost: error.message };
  return { failed: String(error) };
}

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => {
  const { id, ...question }: Question & { id: number } = JSON.parse(line);
  const result = await answer(question).catch(toFailure);
  process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
});
input.on('close', () => kernel.close());
