// The process that namespaced-nft-client.ts starts in a namespace: each input line is a request, each output line a
// response.

import { createInterface } from 'node:readline';
import { exec } from '../../../src/host/process/exec.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { NftClient } from '../../../src/nftables/client/nft-client.ts';
import { NftOutcomeUnknown, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { SetOrMap } from '../../../src/nftables/syntax/element.ts';
import type { NftErrorMessage } from '../../../src/nftables/syntax/error-message.ts';
import type { InstalledElement } from '../../../src/nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../../../src/nftables/syntax/listed-table.ts';
import type { ListedElement } from '../../../src/nftables/syntax/listing.ts';
import type { ObjectRef, RefKey } from '../../../src/nftables/syntax/object-ref.ts';

export interface NftRequest {
  readonly run?: readonly string[];
  readonly confirmation?: 'now' | 'later';
  readonly confirm?: true;
  readonly protect?: true;
  /** Ends the processes of the client. */
  readonly end?: true;
  /** By another client. */
  readonly removeTables?: true;
  readonly list?: true;
  readonly listTables?: true;
  readonly count?: readonly SetOrMap[];
  readonly runExternally?: readonly string[];
}

export interface NftResponse {
  readonly id: number;
  readonly refused?: readonly NftErrorMessage[];
  readonly outcomeUnknown?: string;
  readonly failed?: string;
  readonly openReason?: string | undefined;
  readonly sessionPid?: number | undefined;
  readonly elements?: readonly (readonly [
    object: RefKey,
    elements: readonly (readonly [key: string, element: InstalledElement])[],
  ])[];
  readonly chains?: readonly ObjectRef[];
  readonly tables?: readonly ListedTable[];
  readonly elementCounts?: readonly (readonly [object: RefKey, elements: readonly ListedElement[]])[];
}

const [, , command = 'nft', ownership = 'no'] = process.argv;
const tableOwnership = ownership === 'auto' ? 'auto' : 'no';
const client = new NftClient({ command, tableOwnership });

async function respond(request: NftRequest): Promise<Omit<NftResponse, 'id'>> {
  const { run, confirmation = 'now', confirm, list, listTables, count, runExternally } = request;
  if (run !== undefined) await client.apply(run, { confirmation });
  if (confirm !== undefined) await client.confirm();
  if (request.protect !== undefined) {
    await client.protect();
    return { openReason: client.openReason, sessionPid: client.session.pid };
  }
  if (request.end !== undefined) client.close();
  if (request.removeTables !== undefined) await new NftClient({ command }).removeTables(FAMILIES);
  if (runExternally !== undefined) await nft(runExternally);
  if (count !== undefined) return { elementCounts: [...(await client.listElements(count))] };
  if (listTables !== undefined) return { tables: await client.listTables() };
  if (list === undefined) return {};
  const { elements, chains, tables } = await client.list();
  return {
    elements: [...elements].map(([object, byKey]) => [object, [...byKey]]),
    chains,
    ...(tables === undefined ? {} : { tables }),
  };
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
  const { id, ...request }: NftRequest & { id: number } = JSON.parse(line);
  const result = await respond(request).catch(toFailure);
  process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
});
input.on('close', () => client.close());
