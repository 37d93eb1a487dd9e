// Runs the nft program for one command or script; nft-session.ts keeps it running.

import { ExecError, type ExecOptions, type ExecResult, exec } from '../../host/process/exec.ts';
import { errorMessages, type NftErrorMessage } from '../syntax/error-message.ts';
import { type ListedChain, type ListedJump, parseChains, parseJumps } from '../syntax/json-listing.ts';
import { TableListingReader } from '../syntax/listed/table-listing.ts';
import type { ListedTable } from '../syntax/listed-table.ts';
import { NftListingFailed, NftOutcomeUnknown } from './nft-error.ts';

interface NftProgramOptions {
  /** The name of the program in PATH, or its path. */
  readonly command: string;
  /** The default; {@link NftProgram.run} may override it. */
  readonly timeoutMs?: number;
  /** Runs a program and waits for its exit. */
  readonly run?: (command: string, args: readonly string[], options: ExecOptions) => Promise<ExecResult>;
}

/** Large maps take seconds. */
const SCRIPT_TIMEOUT_MS = 60_000;

/** The rules of a chain of kube-proxy's iptables mode, as JSON: 400 bytes for each Service. */
const MAX_LISTED_CHARACTERS = 256 * 2 ** 20;

/** A table of any owner. */
interface TableName {
  readonly family: string;
  readonly name: string;
}

/**
 * Runs nft in the network namespace of this process. Throws {@link ExecError} of kind `not-found` when there is no such
 * program, and {@link NftOutcomeUnknown} when it was killed or timed out.
 */
export class NftProgram {
  readonly command: string;
  readonly #timeoutMs: number;
  readonly #run: NonNullable<NftProgramOptions['run']>;

  constructor({ command, timeoutMs = 60_000, run = exec }: NftProgramOptions) {
    this.command = command;
    this.#timeoutMs = timeoutMs;
    this.#run = run;
  }

  /** Runs nft with these arguments. Resolves with any exit status. */
  async run(args: readonly string[], options: Partial<ExecOptions> = {}): Promise<ExecResult> {
    try {
      return await this.#run(this.command, args, { timeoutMs: this.#timeoutMs, ...options });
    } catch (error) {
      const isUnknown = error instanceof ExecError && error.kind === 'failed';
      throw isUnknown ? new NftOutcomeUnknown(error.message, { cause: error }) : error;
    }
  }

  /** Applies the script as one transaction. Returns the errors; none when it was applied. */
  async apply(script: string): Promise<NftErrorMessage[]> {
    return errorMessages(await this.run(['-f', '-'], { input: script }));
  }

  /** Has the kernel check the script without applying it. Returns the errors; none when it would be applied. */
  async check(script: string): Promise<NftErrorMessage[]> {
    return errorMessages(await this.run(['-c', '-f', '-'], { input: script }));
  }

  /** All tables. Throws {@link NftListingFailed}, as the other listings do. */
  async listTables(): Promise<TableName[]> {
    const text = await this.#list(['list', 'tables']);
    return [...text.matchAll(/^table (\S+) (\S+)$/gm)].map(([, family = '', name = '']) => ({ family, name }));
  }

  /** The tables of all programs without their elements. */
  async listRuleset(): Promise<ListedTable[]> {
    const reader = new TableListingReader();
    await this.#list(['-t', 'list', 'ruleset'], { onLine: (line) => reader.read(line) });
    return reader.finish();
  }

  /** Runs commands that list something; `onLine` receives the lines of the output. */
  async script(commands: readonly string[], onLine: (line: string) => void): Promise<void> {
    const result = await this.run(['-f', '-'], {
      input: `${commands.join('\n')}\n`,
      onLine,
      timeoutMs: SCRIPT_TIMEOUT_MS,
    });
    const [error] = errorMessages(result);
    if (error !== undefined) throw new NftListingFailed(`Cannot run "${commands[0]?.slice(0, 80)}": ${error.message}`);
  }

  /** The chains of all tables. */
  async listChains(): Promise<ListedChain[]> {
    return parseChains(await this.#list(['-j', '-t', 'list', 'chains']));
  }

  /** The rules of a chain that jump to other chains. */
  async listJumps({ family, table, name }: Pick<ListedChain, 'family' | 'table' | 'name'>): Promise<ListedJump[]> {
    return parseJumps(await this.#list(['-j', '-a', 'list', 'chain', family, table, name]));
  }

  async #list(args: readonly string[], options: Pick<ExecOptions, 'onLine'> = {}): Promise<string> {
    const result = await this.run(args, { maxKeptCharacters: MAX_LISTED_CHARACTERS, ...options });
    const [error] = errorMessages(result);
    if (error === undefined) return result.stdout;
    throw new NftListingFailed(`Cannot run "${[this.command, ...args].join(' ')}": ${error.message}`);
  }
}
