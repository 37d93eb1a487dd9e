// The port bitmap, by which the programs pass most packets early.

import { encodeU32 } from './entries.ts';
import { toHex } from './hex.ts';
import { BACKEND_PORTS_OFFSET, PORT_WORDS } from './layout.ts';

/** Ports of frontends and ports of backends have separate bits. */
type PortSide = 'frontends' | 'backends';

/** Tracks the bits and the words to write. */
export class PortBitmap {
  readonly #words = new BigUint64Array(PORT_WORDS);
  readonly #changed = new Set<number>();

  /** `installed` are the words in the kernel, by index. */
  constructor(installed: ReadonlyMap<number, bigint>) {
    for (const [at, word] of installed) this.#words[at] = word;
  }

  /** Ports whose bit is set. */
  *ports(side: PortSide): Iterable<number> {
    const base = side === 'frontends' ? 0 : BACKEND_PORTS_OFFSET;
    for (let at = base; at < base + PORT_WORDS / 2; at++) {
      const word = this.#words[at] ?? 0n;
      if (word === 0n) continue;
      for (let bit = 0; bit < 64; bit++) if ((word >> BigInt(bit)) & 1n) yield (at - base) * 64 + bit;
    }
  }

  set(side: PortSide, port: number): void {
    this.#write(side, port, (word, bit) => word | bit);
  }

  clear(side: PortSide, port: number): void {
    this.#write(side, port, (word, bit) => word & ~bit);
  }

  /** Returns requests for the words that changed since the last call. */
  takeWrites(): string[] {
    const writes = [...this.#changed].map((at) => {
      const word = new Uint8Array(new BigUint64Array([this.#words[at] ?? 0n]).buffer);
      return `put ports ${toHex(encodeU32(at))} ${toHex(word)}`;
    });
    this.#changed.clear();
    return writes;
  }

  #write(side: PortSide, port: number, change: (word: bigint, bit: bigint) => bigint): void {
    const at = (side === 'frontends' ? 0 : BACKEND_PORTS_OFFSET) + (port >> 6);
    const before = this.#words[at] ?? 0n;
    const after = change(before, 1n << BigInt(port & 63));
    if (after === before) return;
    this.#words[at] = after;
    this.#changed.add(at);
  }
}
