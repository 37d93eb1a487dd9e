// Collects the pieces of an object that arrives in many chunks.

import { ConnectionError } from '../client/api-error.ts';

/**
 * etcd stores at most 1.5 MiB. Annotations, the only text that JSON has to escape, to up to six times as many bytes, are
 * limited to 256 KiB, and a slice to 1,000 endpoints. A longer object is not one of a Kubernetes API server.
 */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Parsed, an empty list takes 40 times its bytes. A slice with 1,000 endpoints has about 20,000 values; in objects of up to
 * 1 MiB, any number is harmless.
 */
const MAX_VALUES = 500_000;
const UNCHECKED_BYTES = 1024 * 1024;
/** Characters that begin a list, an object or its next value. */
const [BRACKET, BRACE, COMMA] = [0x5b, 0x7b, 0x2c];

const MIN_CAPACITY = 4096;
/** A larger buffer is released after use. */
const MAX_KEPT_CAPACITY = 256 * 1024;

/** Copies the pieces: a chunk of one byte can keep a buffer of 64 KiB alive. */
export class ByteBuffer {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Throws {@link ConnectionError} beyond 4 MiB. */
  append(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > MAX_BYTES) throw new ConnectionError(`an object is longer than ${MAX_BYTES / 1024 ** 2} MiB`);
    if (length > this.#bytes.length) this.#grow(length);
    piece.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** The text so far. Empties the buffer. Throws {@link ConnectionError} if it has too many values to be parsed. */
  take(): string {
    if (this.#length > UNCHECKED_BYTES) checkValues(this.#bytes.subarray(0, this.#length));
    const text = this.#bytes.toString('utf8', 0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_CAPACITY) this.#bytes = Buffer.alloc(0);
    return text;
  }

  #grow(length: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length, MIN_CAPACITY));
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}

/** Also counts characters in strings, which makes no difference for real objects. */
function checkValues(json: Buffer): void {
  let values = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === BRACKET || byte === BRACE || byte === COMMA) values += 1;
  }
  if (values > MAX_VALUES) throw new ConnectionError(`an object has more than ${MAX_VALUES} values`);
}
