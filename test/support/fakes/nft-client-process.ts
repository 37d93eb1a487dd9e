// The process that namespaced-nft-client.ts starts in a namespace: a line in is a question, a line out its answer.
import { createInterface } from 'node:readline';
import { exec } from '../../../src/host/process/exec.ts';
import { NftClient } from '../../../src/nftables/client/nft-client.ts';
import { NftOutcomeUnknown, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { SetOrMap } from '../../../src/nftables/syntax/element.ts';
import type { NftErrorMessage } from '../../../src/nftables/syntax/error-message.ts';
import type { InstalledElement, RuleCount } from '../../../src/nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../../../src/nftables/syntax/listing.ts';
import type { ObjectRef, RefKey } from '../../../src/nftables/syntax/object-ref.ts';

export interface NftRequest {
  readonly run?: readonly string[];
  readonly list?: true;
  readonly ruleCounts?: true;
  readonly count?: readonly SetOrMap[];
  readonly runExternally?: readonly string[];
}

export interface NftResponse {
  readonly id: number;
  readonly refused?: readonly NftErrorMessage[];
  readonly outcomeUnknown?: string;
  readonly failed?: string;
  readonly elements?: readonly (readonly [
    object: RefKey,
    held: readonly (readonly [key: string, held: InstalledElement])[],
  ])[];
  readonly chains?: readonly ObjectRef[];
  readonly rules?: readonly RuleCount[];
  readonly elementCounts?: readonly (readonly [object: RefKey, elements: readonly ListedElement[]])[];
}

const [, , command = 'nft'] = process.argv;
const kernel = new NftClient({ command });

async function answer({ run, list, ruleCounts, count, runExternally }: NftRequest): Promise<Omit<NftResponse, 'id'>> {
  if (run !== undefined) await kernel.apply(run);
  if (runExternally !== undefined) await nft(runExternally);
  if (count !== undefined) return { elementCounts: [...(await kernel.listElements(count))] };
  if (ruleCounts !== undefined) return { rules: await kernel.ruleCounts() };
  if (list === undefined) return {};
  const { elements, chains } = await kernel.list();
  return { elements: [...elements].map(([object, held]) => [object, [...held]]), chains };
}

async function nft(lines: readonly string[]): Promise<void> {
  const { status, stderr } = await exec('nft', ['-f', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 20_000 });
  if (status !== 0) throw new Error(stderr);
}

function toFailure(error: unknown): Omit<NftResponse, 'id'> {
  if (error instanceof NftRefusal) return { refused: error.messages };
  if (error instanceof NftOutcomeUnknown) return { outcomeUnknown: error.message };
  return { failed: String(error) };
}

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => {
  const { id, ...question }: NftRequest & { id: number } = JSON.parse(line);
  const result = await answer(question).catch(toFailure);
  process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
});
input.on('close', () => kernel.close());
