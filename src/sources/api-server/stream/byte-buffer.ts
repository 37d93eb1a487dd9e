// Collects the pieces of an object that arrives in many chunks.

import { ConnectionError } from '../client/api-error.ts';

/**
 * An object is stored with at most 1.5 MB (etcd's limit of a request), which JSON can escape to six times as many bytes.
 * Anything longer is not an object of a Kubernetes API server.
 */
const MAX_BYTES = 16 * 1024 * 1024;

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

  /** Throws {@link ConnectionError} beyond 16 MiB. */
  append(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > MAX_BYTES) throw new ConnectionError(`an object is longer than ${MAX_BYTES / 1024 ** 2} MiB`);
    if (length > this.#bytes.length) this.#grow(length);
    piece.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** The text so far. Empties the buffer. */
  take(): string {
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
