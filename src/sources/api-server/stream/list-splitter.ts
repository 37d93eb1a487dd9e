// Splits a List object into its items without storing the whole list.
// Servers may ignore the page size (with resourceVersion=0, for years), and parsing tens of megabytes in one piece takes
// hundreds of megabytes of objects.

import { ByteBuffer } from './byte-buffer.ts';

const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, QUOTE, BACKSLASH] = [0x7b, 0x7d, 0x5b, 0x5d, 0x22, 0x5c];

/** Emits the JSON of each item of the only array on the first level, and keeps the rest of the object. */
export class ListSplitter {
  readonly #onItem: (json: string) => void;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInItems = false;
  #items = 0;
  readonly #item = new ByteBuffer();
  readonly #envelope = new ByteBuffer();

  constructor(onItem: (json: string) => void) {
    this.#onItem = onItem;
  }

  /** The JSON of the list without its items. Call it once, at the end. */
  takeEnvelope(): string {
    return this.#envelope.take();
  }

  /** Returns the number of complete items. Throws `ConnectionError` for an item that is too long. */
  push(chunk: Buffer): number {
    const itemsBefore = this.#items;
    // The start of the current item, or of a piece of the envelope, in this chunk.
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isInString = false;
      } else if (byte === QUOTE) {
        this.#isInString = true;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        from = this.#open(chunk, { from, at, isArray: byte === OPEN_ARRAY });
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        from = this.#close(chunk, { from, at });
      }
    }
    this.#keep(chunk.subarray(from));
    return this.#items - itemsBefore;
  }

  #open(chunk: Buffer, { from, at, isArray }: { from: number; at: number; isArray: boolean }): number {
    const depth = this.#depth++;
    if (depth === 1 && isArray) {
      this.#envelope.append(chunk.subarray(from, at + 1));
      this.#isInItems = true;
      return at + 1;
    }
    // Skip commas and white space between items.
    return this.#isInItems && depth === 2 ? at : from;
  }

  #close(chunk: Buffer, { from, at }: { from: number; at: number }): number {
    const depth = --this.#depth;
    if (!this.#isInItems || depth > 2) return from;
    if (depth === 2) {
      this.#item.append(chunk.subarray(from, at + 1));
      this.#items += 1;
      this.#onItem(this.#item.take());
      return at + 1;
    }
    this.#isInItems = false;
    return at;
  }

  #keep(piece: Buffer): void {
    if (!this.#isInItems) this.#envelope.append(piece);
    else if (this.#depth > 2) this.#item.append(piece);
  }
}
