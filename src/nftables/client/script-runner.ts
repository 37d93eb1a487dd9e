// Runs large transactions in processes of their own, some of which are started in advance.

import { ExecError, type ExecResult, type StartedProgram, startProgram } from '../../host/process/exec.ts';
import { errorMessages, type NftErrorMessage } from '../syntax/error-message.ts';
import { toScript } from '../syntax/script.ts';
import { NftOutcomeUnknown } from './nft-error.ts';

/** Longer than the pauses between the transactions of a load of 100,000 elements. */
const IDLE_MS = 1000;

const ARGUMENTS = ['-f', '-'] as const;

/**
 * Why a process for each transaction: a session reads its input byte by byte, which takes four times as long for 5,000
 * operations, and keeps the memory of its largest transaction. Why some are started in advance: starting one takes 5 to
 * 15 ms, and a load of 100,000 elements has two dozen transactions.
 */
export class ScriptRunner {
  readonly #command: string;
  readonly #spare: StartedProgram[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ command }: { readonly command: string }) {
    this.#command = command;
  }

  /**
   * Applies the operations as one transaction; may run concurrently. Returns the errors, whose lines are the numbers of
   * operations; none when nft reported success. Throws {@link NftOutcomeUnknown} when nft was killed or timed out.
   */
  async apply(lines: readonly string[], { timeoutMs }: { readonly timeoutMs: number }): Promise<NftErrorMessage[]> {
    const { parts, operationAt } = toScript(lines);
    const result = await this.#run(parts, timeoutMs);
    const errors = errorMessages(result).map(({ line, message }) => ({ line: operationAt(line), message }));
    // No operation is to blame.
    const cut = errors.find(({ message }) => message.includes('unexpected end of file'));
    if (cut !== undefined) throw new NftOutcomeUnknown(`Cannot give nft the whole transaction: ${cut.message}`);
    return errors;
  }

  async #run(input: readonly string[], timeoutMs: number): Promise<ExecResult> {
    try {
      return await this.#take().run({ input, timeoutMs });
    } catch (error) {
      const isUnknown = error instanceof ExecError && error.kind === 'failed';
      throw isUnknown ? new NftOutcomeUnknown(error.message, { cause: error }) : error;
    }
  }

  /** Ends the processes that wait. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const program of this.#spare.splice(0)) program.kill();
  }

  /** Within a series of transactions, the next process is started while this one runs. */
  #take(): StartedProgram {
    const isSeries = this.#timer !== undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), IDLE_MS).unref();
    const program = this.#spare.shift() ?? this.#start();
    if (isSeries && this.#spare.length === 0) this.#spare.push(this.#start());
    return program;
  }

  #start(): StartedProgram {
    return startProgram(this.#command, ARGUMENTS);
  }
}
