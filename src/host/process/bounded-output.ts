// Limits what a program can make us keep of its output.

/**
 * The most characters that are kept of the output of a program, and of a line. `nft -f` repeats each operation that the
 * kernel refuses, in 500 characters with its error; a transaction has at most some 10,000.
 */
export const MAX_KEPT_CHARACTERS = 8 * 2 ** 20;
/** An operation has at least 30 characters. */
const ERRORS_PER_INPUT = 16;

/** The same of its errors: they are about its input. */
export function maxErrorCharacters(inputCharacters: number): number {
  return Math.min(MAX_KEPT_CHARACTERS, 2 ** 20 + ERRORS_PER_INPUT * inputCharacters);
}

/** Why a program was killed. */
export function tooMuchOutput(maxCharacters: number): string {
  return `it printed more than ${Math.round(maxCharacters / 2 ** 20)} MiB`;
}

interface FloodOptions {
  readonly periodMs?: number;
  readonly now?: () => number;
}

/** Finds a long-lived program that prints so much that it cannot be what it should be, and that reading it costs time. */
export class FloodDetector {
  readonly #maxCharacters: number;
  readonly #periodMs: number;
  readonly #now: () => number;
  #since: number;
  #characters = 0;

  /** `maxCharacters`: in the period, which is a minute by default. */
  constructor(maxCharacters: number, { periodMs = 60_000, now = () => performance.now() }: FloodOptions = {}) {
    this.#maxCharacters = maxCharacters;
    this.#periodMs = periodMs;
    this.#now = now;
    this.#since = now();
  }

  /** Counts output. Returns whether it is too much. */
  add(characters: number): boolean {
    const now = this.#now();
    if (now - this.#since >= this.#periodMs) {
      this.#since = now;
      this.#characters = 0;
    }
    this.#characters += characters;
    return this.#characters > this.#maxCharacters;
  }
}

/** Splits text into lines as it arrives. */
export class LineSplitter {
  readonly #maxCharacters: number;
  #parts: string[] = [];
  #characters = 0;

  constructor(maxCharacters = MAX_KEPT_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  /** The lines that this text completes. */
  split(text: string): string[] {
    const lines = text.split('\n');
    const last = lines.pop() ?? '';
    if (lines.length > 0) lines[0] = this.#take() + lines[0];
    this.#parts.push(last);
    this.#characters += last.length;
    return lines;
  }

  /** Whether the line that has begun is longer than a program should print. */
  get isTooLong(): boolean {
    return this.#characters > this.#maxCharacters;
  }

  /** The last line, if it has no end. */
  end(): string[] {
    const rest = this.#take();
    return rest === '' ? [] : [rest];
  }

  #take(): string {
    const text = this.#parts.join('');
    this.#parts = [];
    this.#characters = 0;
    return text;
  }
}
