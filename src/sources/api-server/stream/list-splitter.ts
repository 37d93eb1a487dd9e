// The items of a List object, one by one, without ever holding the whole list.
// A server may answer with everything at once although pages were asked for (it did so with resourceVersion=0 for years),
// and tens of megabytes parsed in one piece are hundreds of megabytes of objects.

const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, QUOTE, BACKSLASH] = [0x7b, 0x7d, 0x5b, 0x5d, 0x22, 0x5c];

/** Hands out the JSON of every item of the one array on the first level, and keeps the rest of the object. */
export class ListSplitter {
  readonly #onItem: (json: string) => void;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInItems = false;
  #item: Buffer[] = [];
  #envelope: Buffer[] = [];

  constructor(onItem: (json: string) => void) {
    this.#onItem = onItem;
  }

  /** The JSON of the list as it would be without its items. */
  get envelope(): string {
    return Buffer.concat(this.#envelope).toString();
  }

  push(chunk: Buffer): void {
    // What has been read of the current piece, item or envelope, begins here.
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
  }

  #open(chunk: Buffer, { from, at, isArray }: { from: number; at: number; isArray: boolean }): number {
    const depth = this.#depth++;
    if (depth === 1 && isArray) {
      this.#envelope.push(chunk.subarray(from, at + 1));
      this.#isInItems = true;
      return at + 1;
    }
    // Commas and white space between items are left behind.
    return this.#isInItems && depth === 2 ? at : from;
  }

  #close(chunk: Buffer, { from, at }: { from: number; at: number }): number {
    const depth = --this.#depth;
    if (!this.#isInItems || depth > 2) return from;
    if (depth === 2) {
      this.#item.push(chunk.subarray(from, at + 1));
      this.#onItem(Buffer.concat(this.#item).toString());
      this.#item = [];
      return at + 1;
    }
    this.#isInItems = false;
    return at;
  }

  #keep(piece: Buffer): void {
    if (!this.#isInItems) this.#envelope.push(piece);
    else if (this.#depth > 2) this.#item.push(piece);
  }
}
