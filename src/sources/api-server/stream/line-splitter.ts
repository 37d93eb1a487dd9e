// Splits a stream of chunks into lines.

import { ByteBuffer } from './byte-buffer.ts';

const NEWLINE = 0x0a;

/** Decodes complete lines only, so that chunks may end inside a UTF-8 sequence. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #partial = new ByteBuffer();

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Whether the last line is incomplete. */
  get hasPartialLine(): boolean {
    return this.#partial.length > 0;
  }

  /** Returns the number of complete lines that are not empty. Throws `ConnectionError` for a line that is too long. */
  push(chunk: Buffer): number {
    let from = 0;
    let lines = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#completeLine(chunk.subarray(from, end));
      from = end + 1;
      if (line === '') continue;
      lines += 1;
      this.#onLine(line);
    }
    if (from < chunk.length) this.#partial.append(chunk.subarray(from));
    return lines;
  }

  #completeLine(last: Buffer): string {
    if (this.#partial.length === 0) return last.toString();
    this.#partial.append(last);
    return this.#partial.take();
  }
}
