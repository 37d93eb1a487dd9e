// Splits a stream of chunks into lines.

import { ConnectionError } from '../client/api-error.ts';

const NEWLINE = 0x0a;
/** An object has a few megabytes at most; a longer line is not part of a watch. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;

/** Decodes complete lines only, so that chunks may end inside a UTF-8 sequence. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Whether the last line is incomplete. */
  get hasPartialLine(): boolean {
    return this.#length > 0;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#completeLine(chunk.subarray(from, end));
      from = end + 1;
      if (line !== '') this.#onLine(line);
    }
    if (from < chunk.length) this.#append(chunk.subarray(from));
  }

  #completeLine(last: Buffer): string {
    if (this.#length === 0) return last.toString();
    this.#chunks.push(last);
    const line = Buffer.concat(this.#chunks, this.#length + last.length).toString();
    this.#chunks = [];
    this.#length = 0;
    return line;
  }

  #append(piece: Buffer): void {
    this.#chunks.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_LINE_BYTES) throw new ConnectionError(`a line is longer than ${MAX_LINE_BYTES} bytes`);
  }
}
