// Lines out of chunks that were cut anywhere.
import { ConnectionError } from '../client/api-error.ts';

const NEWLINE = 0x0a;
/** An object has a few megabytes at most; what goes on for longer is no watch. */
const LONGEST_LINE = 256 * 1024 * 1024;

/** Collects bytes and decodes whole lines only, so that a cut inside a UTF-8 sequence does no harm. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Whether there is the beginning of a line whose end has not come. */
  get isInsideLine(): boolean {
    return this.#length > 0;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#take(chunk.subarray(from, end));
      from = end + 1;
      if (line !== '') this.#onLine(line);
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #take(last: Buffer): string {
    if (this.#length === 0) return last.toString();
    this.#pieces.push(last);
    const line = Buffer.concat(this.#pieces, this.#length + last.length).toString();
    this.#pieces = [];
    this.#length = 0;
    return line;
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > LONGEST_LINE) throw new ConnectionError(`a line is longer than ${LONGEST_LINE} bytes`);
  }
}
